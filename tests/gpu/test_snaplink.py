"""Encoder and commands with a GPU, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.nn.functional import cosine_similarity

from snaplink.encoder import load_encoder

EXAMPLES = Path(__file__).parents[2] / "examples"


def snaplink(*arguments: str) -> Any:
    """What a command prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "snaplink", *arguments, "--json"],
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_encoder_gives_the_cpus_features(
    checkpoint: str, device: str, pictures: list[Image.Image], names: list[str]
) -> None:
    there, here = load_encoder(checkpoint, device, batch_size=5), load_encoder(checkpoint, "cpu")
    for one, other in (
        (there.encode_pictures(pictures), here.encode_pictures(pictures)),
        (there.encode_texts(names), here.encode_texts(names)),
    ):
        assert one.device.type == "cpu"
        assert one.dtype is torch.float32
        assert cosine_similarity(one, other).min() > 0.999


def test_classify_finds_the_same(device: str, names: list[str]) -> None:
    command = "classify", str(EXAMPLES), "--labels", ",".join(names)
    best = [
        [found["scores"][0]["label"] for found in snaplink(*command, "--device", place)]
        for place in ("cpu", device)
    ]
    assert best[0] == best[1]


def test_embed_fills_a_store(device: str, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    snaplink("embed", str(EXAMPLES), "--out", store, "--device", device)
    found = snaplink("search", store, "an owl", "--device", device)
    assert "owl" in json.dumps(found)
