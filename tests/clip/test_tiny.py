"""The built-in model, measured on pictures that its training never saw."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor

import clip

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "src" / "clip" / "data" / "tiny.safetensors"
HELD_OUT = ROOT / "src" / "snaplink" / "data" / "drawings"


@pytest.fixture(scope="module")
def tiny():
    return clip.load("tiny", device="cpu")


def unit(features: Tensor) -> Tensor:
    return features / features.norm(dim=-1, keepdim=True)


@torch.no_grad()
def test_names_pictures_kept_out_of_its_training(tiny):
    model, preprocess = tiny
    manifest = json.loads((HELD_OUT / "manifest.json").read_text(encoding="utf-8"))
    side, across = manifest["tile"], manifest["across"]
    sheet = Image.open(HELD_OUT / "sheet.png")
    names = sorted({tile["name"] for tile in manifest["tiles"]})
    images = [
        sheet.crop((x, y, x + side, y + side))
        for i in range(len(manifest["tiles"]))
        for y, x in [(i // across * side, i % across * side)]
    ]
    image = unit(model.encode_image(torch.stack([preprocess(i) for i in images])))
    text = unit(model.encode_text(clip.tokenize([f"a photo of a {name}" for name in names])))
    answers = torch.tensor([names.index(tile["name"]) for tile in manifest["tiles"]])
    assert ((image @ text.T).argmax(1) == answers).float().mean() > 0.4


def test_keeps_only_the_words_that_it_learnt(tiny):
    model, _ = tiny
    known = model.token_embedding.weight.abs().sum(1) > 0
    assert known[clip.tokenize("a photo of a dog")[0, :7].long()].all()
    assert 3000 < known.sum() < 6000


def test_says_what_it_is_in_half_precision():
    with safe_open(WEIGHTS, "pt") as file:
        assert file.metadata() == {
            "format": "pt",
            "name": "tiny",
            "description": "A small CLIP for clean drawings, trained from scratch; "
            "see MODEL_CARD.md",
            "licence": "MIT",
            "source": "training/tiny of the snaplink project",
        }
        assert {file.get_slice(name).get_dtype() for name in file.keys()} == {"F16"}  # noqa: SIM118


@torch.no_grad()
def test_reads_a_text_of_the_whole_context(tiny):
    model, _ = tiny
    long = clip.tokenize("a dog " + "and a cat " * 40, truncate=True)
    short = clip.tokenize("a dog and a cat")
    assert torch.cosine_similarity(model.encode_text(long), model.encode_text(short)) > 0.4


def test_its_card_gives_the_measured_figures():
    card = (WEIGHTS.parent / "MODEL_CARD.md").read_text(encoding="utf-8")
    figures = json.loads((ROOT / "training" / "tiny" / "figures.json").read_text(encoding="utf-8"))
    missing = [share for share in shares(figures) if f"{share} %" not in card]
    assert missing == []


def shares(figures: dict) -> list[float]:
    """All the percentages in a tree of figures: those that are no whole counts."""
    found = []
    for value in figures.values():
        found += shares(value) if isinstance(value, dict) else [value]
    return [value for value in found if isinstance(value, float)]
