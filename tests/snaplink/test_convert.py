"""Conversion: the same model in another form, or nothing at all."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

import clip
from clip.errors import CheckpointError
from clip.jit import scripted
from clip.model import CLIP, build_model
from snaplink.convert import convert
from snaplink.errors import ArgumentError

SIZES = (64, 32, 2, 128, 16, 77, 49408, 64, 1, 2)
RESNET = (64, 32, (1, 1, 1, 1), 16, None, 77, 49408, 64, 1, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state dict and an archive in OpenAI's layout of the same weights, and a ResNet."""
    folder = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(0)
    weights = CLIP(*SIZES).state_dict()
    torch.save(weights, folder / "state.pt")
    torch.save(CLIP(*RESNET).state_dict(), folder / "resnet.pt")
    archive = scripted(build_model(dict(weights)).float())
    assert archive is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit is deprecated
        torch.jit.save(archive, folder / "archive.pt")
    return folder


def assert_same_model(path: Path, source: Path, **meaning: Any) -> None:
    ours, _ = clip.load(path, "cpu")
    theirs, _ = clip.load(source, "cpu", **meaning)
    for (name, one), (_, other) in zip(
        ours.state_dict().items(), theirs.state_dict().items(), strict=True
    ):
        assert torch.equal(one, other), name
    image = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    text = clip.tokenize(["a cat", "two dogs"])
    with torch.no_grad():
        torch.testing.assert_close(ours.encode_image(image), theirs.encode_image(image))
        torch.testing.assert_close(ours.encode_text(text), theirs.encode_text(text))


def metadata_of(file: Path) -> dict[str, str]:
    with safe_open(file, "pt") as opened:  # type: ignore[no-untyped-call]
        return dict(opened.metadata())


SOURCES = ("state.pt", "archive.pt", "resnet.pt")


@pytest.mark.parametrize("source", SOURCES)
def test_openai_s_layout_holds_the_same_model(folder: Path, tmp_path: Path, source: str) -> None:
    out = convert(folder / source, tmp_path / "out.safetensors")
    assert out == tmp_path / "out.safetensors"
    assert_same_model(out, folder / source)


@pytest.mark.parametrize("source", SOURCES[:2])
def test_a_directory_for_transformers_holds_the_same_model(
    folder: Path, tmp_path: Path, source: str
) -> None:
    out = convert(folder / source, tmp_path / "new" / "out", to="transformers")
    assert_same_model(out, folder / source)


def test_there_and_back_again(folder: Path, tmp_path: Path) -> None:
    there = convert(folder / "state.pt", tmp_path / "there", to="transformers")
    back = convert(there, tmp_path / "back.safetensors")
    assert_same_model(back, folder / "state.pt")


UNLIKE_OPENAI = {
    "activation": "gelu",
    "vision_heads": 4,
    "text_heads": 2,
    "vision_eps": 1e-3,
    "text_eps": 1e-2,
    "mean": (0.5, 0.4, 0.3),
    "std": (0.2, 0.3, 0.4),
    "interpolation": "bilinear",
    "resize_mode": "squash",
}


@pytest.mark.parametrize("to", ["openai", "transformers"])
def test_what_is_unlike_openai_s_models_is_kept(folder: Path, tmp_path: Path, to: Any) -> None:
    out = convert(folder / "state.pt", tmp_path / "out", to=to, **UNLIKE_OPENAI)
    assert_same_model(out, folder / "state.pt", **UNLIKE_OPENAI)
    with clip.checkpoint.open(out) as opened:
        found = {key: getattr(opened.meaning, key) for key in UNLIKE_OPENAI}
    assert found == UNLIKE_OPENAI


@pytest.mark.parametrize("to", ["openai", "transformers"])
def test_the_source_and_its_hash_are_noted(folder: Path, tmp_path: Path, to: Any) -> None:
    out = convert(folder / "state.pt", tmp_path / "out", to=to)
    metadata = metadata_of(out / "model.safetensors" if out.is_dir() else out)
    assert metadata["source"] == "state.pt"
    sha256 = hashlib.sha256((folder / "state.pt").read_bytes()).hexdigest()
    assert metadata["source_sha256"] == sha256
    assert metadata["format"] == "pt"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_all_weights_have_the_dtype_that_is_asked_for(
    folder: Path, tmp_path: Path, dtype: torch.dtype
) -> None:
    out = convert(folder / "resnet.pt", tmp_path / "out.safetensors", dtype=dtype)
    with clip.checkpoint.open(out) as opened:
        weights = opened.read()
    counts = {name for name in weights if name.endswith("num_batches_tracked")}
    assert {weights[name].dtype for name in weights.keys() - counts} == {dtype}
    assert {weights[name].dtype for name in counts} == {torch.int64}
    out = convert(folder / "state.pt", tmp_path / "out", to="transformers", dtype=dtype)
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    assert config["torch_dtype"] == str(dtype).removeprefix("torch.")


def test_the_vocabulary_is_openai_s(folder: Path, tmp_path: Path) -> None:
    out = convert(folder / "state.pt", tmp_path / "out", to="transformers")
    vocabulary = json.loads((out / "vocab.json").read_text(encoding="utf-8"))
    assert (len(vocabulary), vocabulary["<|endoftext|>"]) == (49408, 49407)
    assert len((out / "merges.txt").read_text(encoding="utf-8").splitlines()) == 48895


def test_a_file_can_be_converted_onto_itself(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes((folder / "state.pt").read_bytes())
    assert_same_model(convert(file, file), folder / "state.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("resnet.pt", {"to": "transformers"}, "no ResNet"),
        ("state.pt", {"to": "transformers", "resize_mode": "longest"}, "cannot pad"),
        ("state.pt", {"to": "onnx"}, "to='onnx' is neither"),
    ],
)
def test_what_a_layout_cannot_hold_is_refused(
    folder: Path, tmp_path: Path, source: str, options: Any, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        convert(folder / source, tmp_path / "out", **options)
    assert not list(tmp_path.iterdir())


def test_a_broken_checkpoint_leaves_the_old_result(folder: Path, tmp_path: Path) -> None:
    out = convert(folder / "state.pt", tmp_path / "out.safetensors")
    before = out.read_bytes()
    broken = tmp_path / "broken.pt"
    broken.write_bytes((folder / "state.pt").read_bytes()[:-1000])
    with pytest.raises(CheckpointError):
        convert(broken, out)
    assert out.read_bytes() == before


@pytest.mark.parametrize("to", ["openai", "transformers"])
def test_a_place_that_cannot_be_written_is_an_error(folder: Path, tmp_path: Path, to: Any) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArgumentError, match="cannot be written"):
        convert(folder / "state.pt", tmp_path / "file" / "out", to=to)


def test_a_directory_is_not_replaced_by_a_file(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="cannot be written"):
        convert(folder / "state.pt", tmp_path)
    assert not list(tmp_path.iterdir())
    assert not list(tmp_path.parent.glob(".*.partial"))
