"""`snaplink inspect` on the forms that checkpoints take."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import clip


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return clip.model.CLIP(64, 32, 2, 64, 8, 20, 300, 64, 1, 3).state_dict()


def test_inspect_says_what_a_file_is(typed, weights):
    torch.save({"state_dict": weights}, "epoch_3.pt")
    ended = typed("inspect", "epoch_3.pt")
    assert (ended.code, ended.err) == (0, "")
    found = dict(line.split(maxsplit=1) for line in ended.out.splitlines())
    parameters = sum(weight.numel() for weight in weights.values())
    assert found == {
        "path": "epoch_3.pt",
        "model": "no official model",
        "format": "torch.save zip, OpenAI's names",
        "pictures": "ViT, 2 layers of width 64, patches of 8, 32 x 32 pixels",
        "texts": "3 layers of width 64, 20 tokens of 300",
        "features": "64",
        "activation": "not said, so OpenAI's QuickGELU",
        "parameters": f"{parameters:,}",
        "dtypes": f"float32 {parameters:,}",
        "file": f"epoch_3.pt, {Path('epoch_3.pt').stat().st_size / 1e6:.1f} MB",
        "SHA-256": hashlib.sha256(Path("epoch_3.pt").read_bytes()).hexdigest(),
    }


def test_inspect_counts_the_dtypes_without_statistics(typed):
    resnet = clip.model.CLIP(64, 32, (1, 1, 1, 1), 8, None, 20, 300, 64, 1, 1)
    clip.model.convert_weights(resnet)
    save_file(resnet.state_dict(), "resnet.safetensors")
    facts = json.loads(typed("inspect", "resnet.safetensors", "--json").out)
    halves = sum(p.numel() for p in resnet.parameters() if p.dtype == torch.float16)
    assert facts["parameters"] == sum(p.numel() for p in resnet.parameters())
    assert facts["dtypes"]["float16"] == halves
    assert facts["architecture"]["vision_layers"] == [1, 1, 1, 1]
    assert facts["official"] is None


def test_inspect_knows_the_built_in_model(started):
    facts = json.loads(started("inspect", "tiny", "--json").out)
    assert facts["official"] == "tiny"
    assert facts["architecture"]["image_resolution"] == 64


def test_a_copy_of_an_official_file_is_official_by_its_hash(typed, weights, monkeypatch):
    from dataclasses import replace

    from clip.registry import OFFICIAL

    torch.save(weights, "renamed.bin")
    sha256 = hashlib.sha256(Path("renamed.bin").read_bytes()).hexdigest()
    monkeypatch.setitem(OFFICIAL, "RN50", replace(OFFICIAL["RN50"], sha256=sha256))
    assert json.loads(typed("inspect", "renamed.bin", "--json").out)["official"] == "RN50"


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("missing.pt", 2, "'missing.pt' is neither a file or directory nor a model's name"),
        ("ViT-B/32", 2, "ViT-B/32 is not in the cache: snaplink download ViT-B/32"),
        ("empty.pt", 1, "empty.pt: the file is empty. "),
        ("page.pt", 1, "page.pt: this is an HTML or XML page, not a checkpoint. "),
        ("bert.pt", 1, "bert.pt: "),
        (".", 1, ""),
    ],
)
def test_mistakes_are_one_line(typed, name, code, message):
    Path("empty.pt").write_bytes(b"")
    Path("page.pt").write_text("<!DOCTYPE html>", encoding="utf-8")
    torch.save({"bert.embeddings": torch.zeros(3, 3)}, "bert.pt")
    ended = typed("inspect", name)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith(f"snaplink: {message}")
    assert ended.err.count("\n") == 1
