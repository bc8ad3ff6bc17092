"""`snaplink convert`: what it writes loads again with the same values."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import clip


@pytest.fixture
def checkpoint() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    weights = clip.model.CLIP(64, 32, 2, 64, 8, 77, 49408, 64, 1, 2).state_dict()
    torch.save({"epoch": 3, "state_dict": weights}, "epoch_3.pt")
    return weights


def test_convert_as_a_user_types_it(started, checkpoint):
    ended = started("convert", "epoch_3.pt", "model.safetensors", "--dtype", "float16")
    assert (ended.code, ended.out, ended.err) == (0, "model.safetensors\n", "")
    written = load_file("model.safetensors")
    assert written.keys() == checkpoint.keys()
    assert Path("model.safetensors").stat().st_mode == Path("epoch_3.pt").stat().st_mode
    for name, weight in written.items():
        assert torch.equal(weight, checkpoint[name].half()), name
    with safe_open("model.safetensors", "pt") as file:
        assert file.metadata()["source"] == "epoch_3.pt"


def test_a_transformers_directory_loads_again(typed, checkpoint):
    ended = typed("convert", "epoch_3.pt", "directory", "--to", "transformers")
    assert (ended.code, ended.out, ended.err) == (0, "directory\n", "")
    assert Path("directory", "config.json").is_file()
    model, _ = clip.load("directory", device="cpu")
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, checkpoint[name]), name


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("convert epoch_3.pt", 2, "Missing argument 'OUT'"),
        ("convert missing.pt out", 2, "'missing.pt' is neither a file or directory nor a model's"),
        ("convert ViT-B/32 out", 2, "ViT-B/32 is not in the cache: snaplink download ViT-B/32"),
        ("convert epoch_3.pt out --to onnx", 2, "'onnx' is not one of 'openai', 'transformers'"),
        ("convert epoch_3.pt out --dtype int8", 2, "'int8' is not one of 'float32', 'float16'"),
        (
            "convert epoch_3.pt no/such/folder/out",
            2,
            "out cannot be written: ",
        ),
        ("convert page.pt out", 1, "page.pt: this is an HTML or XML page, not a checkpoint"),
    ],
)
def test_mistakes_are_one_line(typed, checkpoint, arguments, code, message):
    Path("page.pt").write_text("<!DOCTYPE html>", encoding="utf-8")
    ended = typed(*arguments.split())
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not Path("out").exists()
