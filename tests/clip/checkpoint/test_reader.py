"""The door: `open` and `Checkpoint.read`."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch

from clip import checkpoint
from clip.architecture import Architecture
from clip.checkpoint.layouts import shape_of
from clip.errors import CheckpointError
from clip.model import CLIP, convert_weights


def assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


def float32(name: str, stored: torch.dtype) -> torch.dtype:
    return torch.float32


def _converted(model: CLIP) -> dict[str, torch.Tensor]:
    """The weights of an archive as OpenAI's, in its dtypes."""
    half = copy.deepcopy(model)
    convert_weights(half)
    return dict(half.state_dict())


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model.state_dict(),
        lambda model: model,
        lambda model: {"state_dict": model.state_dict(), "epoch": 3},
        lambda model: {"model": {f"module.{k}": v for k, v in model.state_dict().items()}},
        lambda model: {"net": torch.nn.DataParallel(model)},
    ],
    ids=["state dict", "module", "wrapped", "prefixed", "data parallel"],
)
def test_files_of_torch_save(save, model: CLIP, wrap, new: bool) -> None:
    path = save(wrap(model), _use_new_zipfile_serialization=new)
    with checkpoint.open(path) as opened:
        assert opened.format == ("torch.save zip" if new else "torch.save legacy")
        assert not opened.rounds_to_half
        assert_equal(opened.read(), dict(model.state_dict()))


def test_an_archive(archive: Path, model: CLIP) -> None:
    expected = _converted(model)
    with checkpoint.open(archive) as opened:
        assert opened.format == "TorchScript archive"
        assert opened.rounds_to_half
        assert_equal(opened.read(), expected)
        assert_equal(opened.read(float32), {name: v.float() for name, v in expected.items()})


def test_an_archive_of_torch_1_7(archive: Path, model: CLIP) -> None:
    """As the official ones: no byte order, and storages from a graphics processor."""
    old = io.BytesIO()
    with zipfile.ZipFile(archive) as new, zipfile.ZipFile(old, "w") as file:
        for record in new.infolist():
            content = new.read(record)
            if record.filename.endswith("/data.pkl"):
                assert content.count(b"X\x03\x00\x00\x00cpu") == 1
                content = content.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
            if not record.filename.endswith(("byteorder", ".data/serialization_id")):
                file.writestr(record.filename, content, zipfile.ZIP_STORED)
    with checkpoint.open(old) as opened:
        assert_equal(opened.read(), _converted(model))


def test_safetensors(tmp_path: Path, model: CLIP) -> None:
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(dict(model.state_dict()), path, {"format": "pt"})
    with checkpoint.open(path) as opened:
        assert opened.format == "safetensors"
        assert_equal(opened.read(), dict(model.state_dict()))


def test_a_directory(tmp_path: Path, model: CLIP) -> None:
    torch.save(model.state_dict(), tmp_path / "open_clip_pytorch_model.bin")
    vision = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}
    text = {"context_length": 8, "vocab_size": 40, "width": 64, "heads": 1, "layers": 1}
    towers = {"embed_dim": 8, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}
    config = {
        "model_cfg": towers,
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    }
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    with checkpoint.open(tmp_path) as opened:
        assert opened.format == "open_clip directory"
        assert opened.meaning.mean == (0.5, 0.5, 0.5)
        assert_equal(opened.read(), dict(model.state_dict()))


def test_what_is_known_before_anything_is_read(archive: Path, model: CLIP) -> None:
    with checkpoint.open(archive) as opened:
        assert opened.path == str(archive)
        assert opened.architecture == Architecture.from_shapes(
            {name: tuple(value.shape) for name, value in model.state_dict().items()}
        )
        assert shape_of(opened.tensors["visual.conv1.weight"]) == (64, 3, 16, 16)


def test_an_open_file_is_read_in_place(archive: Path, model: CLIP) -> None:
    with archive.open("rb") as file:
        file.seek(10)
        with checkpoint.open(file) as opened:
            assert_equal(opened.read(), _converted(model))
        assert not file.closed


def test_nothing_of_the_file_is_left(save, model: CLIP) -> None:
    path = save(model.state_dict())
    with checkpoint.open(path) as opened:
        weights = opened.read()
    path.write_bytes(bytes(path.stat().st_size))
    path.unlink()
    assert_equal(weights, dict(model.state_dict()))


def test_weights_have_memory_of_their_own(save, model: CLIP) -> None:
    with checkpoint.open(save(model.state_dict())) as opened:
        weights = opened.read()
    assert len({w.untyped_storage().data_ptr() for w in weights.values()}) == len(weights)
    for weight in weights.values():
        assert weight.untyped_storage().nbytes() == weight.nbytes
        assert weight.is_contiguous()


def test_inside_of_inference_mode_weights_can_still_be_trained(save, model: CLIP) -> None:
    path = save(model.state_dict())
    with torch.inference_mode(), checkpoint.open(path) as opened:
        weights = opened.read(lambda name, stored: torch.float64)
    assert not any(weight.is_inference() for weight in weights.values())


def test_rounding_through_half_by_name(save, model: CLIP) -> None:
    with checkpoint.open(save(model.state_dict())) as opened:
        weights = opened.read(through_half={"visual.proj"})
    exact = model.state_dict()
    assert torch.equal(weights["visual.proj"], exact["visual.proj"].half().float())
    assert torch.equal(weights["text_projection"], exact["text_projection"])


def test_flipped_bits_are_found_by_the_checksums(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as file:
        largest = max(file.infolist(), key=lambda record: record.file_size)
    content[largest.header_offset + 1000] ^= 1
    with (
        checkpoint.open(io.BytesIO(bytes(content))) as opened,
        pytest.raises(CheckpointError, match="do not fit their checksum"),
    ):
        opened.read()
    with checkpoint.open(io.BytesIO(bytes(content)), checksums=False) as opened:
        opened.read()


def test_files_are_closed(save, model: CLIP) -> None:
    with checkpoint.open(save(model.state_dict())) as opened:
        pass
    with pytest.raises(CheckpointError, match="closed"):
        opened.read()


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No such file"):
        checkpoint.open(tmp_path / "missing.pt")


def test_other_models_are_refused(save) -> None:
    with pytest.raises(CheckpointError, match="no CLIP model"):
        checkpoint.open(save(torch.nn.Linear(2, 2).state_dict()))
