"""Write trained weights as `tiny.safetensors`: OpenAI's keys and order of shapes, in fp16."""

from __future__ import annotations

from pathlib import Path

import torch
from batches import Vocabulary
from model import Shape, TinyClip
from safetensors.torch import save_file
from torch import Tensor

TARGET = Path(__file__).parents[2] / "src" / "clip" / "data" / "tiny.safetensors"
ABOUT = {
    "format": "pt",
    "name": "tiny",
    "description": "A small CLIP for clean drawings, trained from scratch; see MODEL_CARD.md",
    "licence": "MIT",
    "source": "training/tiny of the snaplink project",
}


def state_dict(clip: TinyClip, vocabulary: Vocabulary) -> dict[str, Tensor]:
    """All 49,408 token rows, of which those that training never showed are zero."""
    state = {name: tensor.detach() for name, tensor in clip.state_dict().items()}
    table = torch.zeros(Shape().vocabulary, Shape().text_width)
    table[vocabulary.ids] = state["token_embedding.weight"][1:]
    state["token_embedding.weight"] = table
    return {name: tensor.half().contiguous() for name, tensor in state.items()}


def export(clip: TinyClip, vocabulary: Vocabulary, target: Path = TARGET) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(state_dict(clip, vocabulary), target, ABOUT)
    print(f"wrote {target} ({target.stat().st_size} bytes)")
