"""Decisions: the built-in model names its kept-out pictures as in plain float32."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor

import clip
from clip.optimized import probes

HELD_OUT = Path(__file__).parents[3] / "src" / "snaplink" / "data" / "drawings"
AT_LEAST = {"fp32": 0.9999999, "bf16": 0.9999, "int8": 0.9995}
Held = tuple[clip.model.CLIP, Tensor, Tensor]


@pytest.fixture(scope="module")
def held_out() -> Held:
    """tiny, all tiles of the sheet, and all their names in a sentence."""
    model, preprocess = clip.load("tiny", device="cpu")
    manifest = json.loads((HELD_OUT / "manifest.json").read_text(encoding="utf-8"))
    side, across, tiles = manifest["tile"], manifest["across"], manifest["tiles"]
    corners = [(side * (i % across), side * (i // across)) for i in range(len(tiles))]
    with Image.open(HELD_OUT / "sheet.png") as sheet:
        pixels = [preprocess(sheet.crop((x, y, x + side, y + side))) for x, y in corners]
    names = sorted({tile["name"] for tile in tiles})
    assert len(names) > 300
    return model, torch.stack(pixels), clip.tokenize([f"a photo of a {name}" for name in names])


def features(model: object, pixels: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        pictures = torch.cat([model.encode_image(batch) for batch in pixels.split(64)])
        return pictures, model.encode_text(tokens)


def named(pictures: Tensor, texts: Tensor) -> Tensor:
    return (F.normalize(pictures, dim=-1) @ F.normalize(texts, dim=-1).T).argmax(1)


def test_at_least_995_of_1000_answers_are_the_same(held_out: Held, precision: str) -> None:
    model, pixels, tokens = held_out
    exact = features(model, pixels, tokens)
    found = features(clip.optimize(model, precision), pixels, tokens)
    for one, other in zip(found, exact, strict=True):
        assert probes.cosine(one, other) >= AT_LEAST[precision]
    same = named(*found) == named(*exact)
    assert same.float().mean() >= 0.995
