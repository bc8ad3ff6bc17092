"""Train `tiny` from nothing: `python train.py` fetches, renders, trains, exports and evaluates."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from batches import Batch, Batches, Vocabulary
from export import export
from fetch import CACHE
from model import Shape, TinyClip
from muon import Muon
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from validate import validation
from words import concepts

SEED = 17
SCHEDULE = json.loads(Path(__file__).with_name("schedule.json").read_text("utf-8"))
STEPS = SCHEDULE["step"][-1]
MUON_RATE, ADAM_RATE, WEIGHT_DECAY = 0.02, 2e-3, 0.1
CHECKPOINT_EVERY, REPORT_EVERY, VALIDATE_EVERY = 100, 25, 500


class Training(nn.Module):
    """The model and, until training is over, a learnt prototype of every concept."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        shape = Shape()
        self.clip = TinyClip(shape, len(vocabulary))
        self.prototypes = nn.Parameter(torch.randn(len(concepts()), shape.embed_dim))
        self.sharpness = nn.Parameter(torch.tensor(2.7))

    def forward(self, batch: Batch) -> Tensor:
        image = F.normalize(self.clip.encode_image(batch.images).float(), dim=-1)
        text = F.normalize(self.clip.encode_text(batch.rows, batch.end).float(), dim=-1)
        logits = self.clip.logit_scale.exp().clamp(max=100) * image @ text.T
        logits = logits.masked_fill(batch.also_true, float("-inf"))
        pairs = torch.arange(len(logits))
        contrast = (F.cross_entropy(logits, pairs) + F.cross_entropy(logits.T, pairs)) / 2
        prototypes = F.normalize(self.prototypes, dim=-1).T * self.sharpness.exp()
        of_text = F.cross_entropy(text @ prototypes, batch.concepts, reduction="none")
        of_image = F.cross_entropy(image @ prototypes, batch.concepts)
        return contrast + of_image + (of_text * batch.named).mean()


def optimisers(training: Training) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices; AdamW for the rest, without decay on vectors and scalars."""
    named = dict(training.named_parameters())
    blocks = {k: p for k, p in named.items() if "resblocks" in k and p.ndim == 2}
    rest = [p for k, p in named.items() if k not in blocks]
    groups = [
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW(groups, lr=ADAM_RATE, betas=(0.9, 0.95))
    return [Muon(blocks, lr=MUON_RATE, decay=WEIGHT_DECAY), adam]


def rate(step: int) -> float:
    """The share of the full learning rate at a step: straight lines between the schedule's."""
    return float(np.interp(step + 1, SCHEDULE["step"], SCHEDULE["rate"]))


def save(path: Path, step: int, training: Training, tools: list[torch.optim.Optimizer]) -> None:
    state = {
        "step": step,
        "training": training.state_dict(),
        "tools": [t.state_dict() for t in tools],
    }
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def resume(path: Path, training: Training, tools: list[torch.optim.Optimizer]) -> int:
    """The step to go on with: that of the checkpoint if there is one."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    training.load_state_dict(state["training"])
    for tool, saved in zip(tools, state["tools"], strict=True):
        tool.load_state_dict(saved)
    return state["step"]


def train(checkpoint: Path) -> tuple[TinyClip, Vocabulary]:
    torch.manual_seed(SEED)
    batches = Batches(SEED)
    training = Training(batches.vocabulary)
    tools = optimisers(training)
    first = resume(checkpoint, training, tools)
    loss_of = torch.compile(training, dynamic=False)
    began, recent = time.time(), 0.0
    for step in range(first, STEPS):
        share = rate(step)
        set_rates(tools, share)
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(batches[step])
        loss.backward()
        for tool in tools:
            tool.step()
            tool.zero_grad()
        recent += loss.item() / REPORT_EVERY
        if (done := step + 1) % REPORT_EVERY == 0:
            pace = (time.time() - began) / (done - first)
            print(
                f"step {done} of {STEPS}  loss {recent:.3f}  rate {share:.3f}  {pace:.2f} s/step",
                flush=True,
            )
            recent = 0.0
        if done % CHECKPOINT_EVERY == 0:
            save(checkpoint, done, training, tools)
        if done % VALIDATE_EVERY == 0:
            print(
                f"step {done}  validation {validation(training.clip, batches.vocabulary)}",
                flush=True,
            )
    return training.clip, batches.vocabulary


def set_rates(tools: list[torch.optim.Optimizer], share: float) -> None:
    for tool, full in zip(tools, (MUON_RATE, ADAM_RATE), strict=True):
        for group in tool.param_groups:
            group["lr"] = full * share


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=CACHE / "checkpoint.pt")
    export(*train(parser.parse_args().checkpoint))
