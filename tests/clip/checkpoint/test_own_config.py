"""The meaning of a model in the metadata of its safetensors file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from clip import checkpoint
from clip.architecture import Architecture
from clip.checkpoint.meaning import Meaning
from clip.checkpoint.own_config import meaning_as_metadata
from clip.errors import CheckpointError

VIT = Architecture(32, 16, 1, 64, 8, 8, 10, 64, 1, 1)
SAID = Meaning(
    activation="gelu",
    vision_heads=2,
    text_heads=4,
    vision_eps=1e-6,
    text_eps=1e-4,
    mean=(0.1, 0.2, 0.3),
    std=(0.4, 0.5, 0.6),
    interpolation="bilinear",
    resize_mode="longest",
    fill_color=9,
)


def save(folder: Path, metadata: dict[str, str]) -> Path:
    file = folder / "model.safetensors"
    weights = {name: torch.zeros(shape) for name, shape in VIT.shapes().items()}
    save_file(weights, file, metadata=metadata)
    return file


def meaning_in(file: Path) -> Meaning:
    with checkpoint.open(file) as opened:
        return opened.meaning


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = save(tmp_path, meaning_as_metadata(SAID))
    (tmp_path / "config.json").write_text('{"model_type": "clip"}', encoding="utf-8")
    found = meaning_in(file)
    assert found.source == "its metadata"
    assert {**vars(found), "source": SAID.source} == vars(SAID)


def test_other_metadata_mean_nothing(tmp_path: Path) -> None:
    assert meaning_in(save(tmp_path, {"format": "pt"})) == Meaning()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{", "clip_meaning of its metadata makes no sense"),
        ("[" * 100_000, "clip_meaning of its metadata makes no sense"),
        ("[]", "clip_meaning is not a JSON object"),
        ({"activation": "relu"}, r"clip_meaning\.activation is .*one of"),
        ({"vision_eps": -1.0}, r"clip_meaning\.vision_eps is -1\.0"),
        ({"std": [0, 0, 0]}, r"clip_meaning\.std\.0 is 0"),
        ({"vision_heads": "x"}, r"clip_meaning\.vision_heads is"),
    ],
)
def test_nonsense_is_an_error(tmp_path: Path, said: Any, message: str) -> None:
    text = said if isinstance(said, str) else json.dumps(said)
    with pytest.raises(CheckpointError, match=message):
        meaning_in(save(tmp_path, {"clip_meaning": text}))
