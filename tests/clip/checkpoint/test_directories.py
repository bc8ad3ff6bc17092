"""Which files of a directory make up a model."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from clip.checkpoint.directories import config_of, join_shards, read_directory
from clip.errors import CheckpointError

OPEN_CLIP = {"model_cfg": {"embed_dim": 512}, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5]}}
TRANSFORMERS = {"model_type": "clip", "projection_dim": 512}


def fill(folder: Path, *names: str, **configs: Any) -> Path:
    """Empty files of these names, and JSON files named by keyword, with _ for each dot."""
    for name in names:
        (folder / name).touch()
    for name, content in configs.items():
        file = folder / f"{name}.json"
        file.write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (["pytorch_model.bin", "model.safetensors"], "model.safetensors"),
        (["pytorch_model.bin", "tf_model.h5"], "pytorch_model.bin"),
        (["pytorch_model.bin", "open_clip_model.safetensors"], "pytorch_model.bin"),
    ],
)
def test_transformers_weights_by_its_order(tmp_path: Path, files: list[str], chosen: str) -> None:
    found = read_directory(fill(tmp_path, *files, config=TRANSFORMERS))
    assert found.format == "transformers directory"
    assert found.weights == (tmp_path / chosen,)
    assert found.indexed == ()


OPEN_CLIP_ORDER = (
    *("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors"),
    *("open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth", "model.safetensors"),
    *("pytorch_model.bin", "pytorch_model.pth", "model.pth"),
)


@pytest.mark.parametrize("first", range(len(OPEN_CLIP_ORDER)))
def test_open_clip_s_weights_by_its_order(tmp_path: Path, first: int) -> None:
    found = read_directory(fill(tmp_path, *OPEN_CLIP_ORDER[first:], open_clip_config=OPEN_CLIP))
    assert found.format == "open_clip directory"
    assert found.weights == (tmp_path / OPEN_CLIP_ORDER[first],)


@pytest.mark.parametrize(
    ("weights", "format"),
    [
        ("open_clip_pytorch_model.bin", "open_clip directory"),
        ("model.safetensors", "transformers directory"),
    ],
)
def test_of_two_configs_the_weights_choose(tmp_path: Path, weights: str, format: str) -> None:
    fill(tmp_path, weights, config=TRANSFORMERS, open_clip_config=OPEN_CLIP)
    assert read_directory(tmp_path).format == format


def test_configs_are_read(tmp_path: Path) -> None:
    fill(tmp_path, "model.safetensors", config=TRANSFORMERS, preprocessor_config={"size": 7})
    config = read_directory(tmp_path).config
    assert (config.library, config.model.raw("model_type")) == ("transformers", "clip")
    assert config.preprocess.raw("size") == 7
    assert config.model.file == str(tmp_path / "config.json")


def test_transformers_5_keeps_the_picture_s_part_in_the_processor(tmp_path: Path) -> None:
    processor = {"image_processor": {"size": 7}}
    fill(tmp_path, "model.safetensors", config=TRANSFORMERS, processor_config=processor)
    assert read_directory(tmp_path).config.preprocess.raw("size") == 7


def sharded(folder: Path, weight_map: Any, *files: str) -> Path:
    index = {"metadata": {}, "weight_map": weight_map}
    fill(folder, *files, config=TRANSFORMERS)
    file = folder / "model.safetensors.index.json"
    file.write_text(json.dumps(index), encoding="utf-8")
    return folder


def test_an_index_lists_the_files_that_share_the_weights(tmp_path: Path) -> None:
    weight_map = {"x": "1.safetensors", "y": "2.safetensors", "z": "1.safetensors"}
    found = read_directory(sharded(tmp_path, weight_map, "1.safetensors", "2.safetensors"))
    assert found.weights == (tmp_path / "1.safetensors", tmp_path / "2.safetensors")
    assert join_shards(found, [{"x": 1, "z": 3}, {"y": 2}]) == {"x": 1, "y": 2, "z": 3}


@pytest.mark.parametrize(
    ("trees", "message"),
    [
        ([{"x": 1}, {"y": 2, "x": 1}], r"2\.safetensors: other files of the model hold too: x"),
        ([{"x": 1}, {}], "in none of its files: y"),
        ([{"x": 1}, [2]], r"2\.safetensors: it holds no dict of weights"),
    ],
)
def test_files_must_share_as_the_index_says(tmp_path: Path, trees: Any, message: str) -> None:
    weight_map = {"x": "1.safetensors", "y": "2.safetensors"}
    found = read_directory(sharded(tmp_path, weight_map, "1.safetensors", "2.safetensors"))
    with pytest.raises(CheckpointError, match=message):
        join_shards(found, trees)


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/passwd", "a/b", "..", ".", "", "a\\b", "..\\x", "C:x", "C:\\x", "//host/x"],
)
def test_no_index_leads_out_of_the_directory(tmp_path: Path, name: str) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "x").touch()
    with pytest.raises(CheckpointError, match="names a file outside the directory"):
        read_directory(sharded(inner, {"w": name}))


@pytest.mark.parametrize(
    ("weight_map", "message"),
    [
        ({"x": "lost.safetensors"}, r"lost\.safetensors is not in the directory"),
        ({}, "weight_map is empty"),
        ({"x": 3}, "weight_map.x is 3"),
        ([], "weight_map is empty"),
        ("x", "weight_map is not a JSON object"),
    ],
)
def test_a_broken_index_is_an_error(tmp_path: Path, weight_map: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_directory(sharded(tmp_path, weight_map))


def test_a_directory_that_holds_no_model_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"neither config\.json nor open_clip_config\.json"):
        read_directory(tmp_path)
    fill(tmp_path, config=TRANSFORMERS)
    with pytest.raises(CheckpointError, match=r"no weights: model\.safetensors, "):
        read_directory(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\x00", "[" * 100_000, '{"model_cfg": {}}'])
def test_a_broken_config_is_an_error(tmp_path: Path, text: str) -> None:
    fill(tmp_path, "open_clip_model.safetensors")
    (tmp_path / "open_clip_config.json").write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"open_clip_config\.json: "):
        read_directory(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_config_that_is_a_fifo_is_no_config(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(CheckpointError, match="neither"):
        read_directory(tmp_path)


def test_a_config_belongs_to_files_that_its_library_would_load(tmp_path: Path) -> None:
    fill(tmp_path, config=TRANSFORMERS, open_clip_config=OPEN_CLIP)
    libraries = {
        name: config and config.library
        for name in (
            "model.safetensors",
            "pytorch_model.bin",
            "open_clip_model.safetensors",
            "a.pt",
        )
        for config in [config_of(tmp_path / name, {}, name)]
    }
    assert libraries == {
        "model.safetensors": "transformers",
        "pytorch_model.bin": "transformers",
        "open_clip_model.safetensors": "open_clip",
        "a.pt": None,
    }


def test_without_a_config_beside_it_a_file_has_none(tmp_path: Path) -> None:
    assert config_of(tmp_path / "model.safetensors", {}, "") is None
