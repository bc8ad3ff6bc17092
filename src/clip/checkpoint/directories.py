"""Which files of a directory, as transformers or open_clip saves one, make up a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ..errors import CheckpointError
from .config_values import Values, read_json
from .configs import ModelConfig
from .own_config import own_values
from .state_dicts import listed

__all__ = ["ModelDirectory", "config_of", "join_shards", "read_directory"]

_OPEN_CLIP_CONFIG = "open_clip_config.json"
_TRANSFORMERS_CONFIG = "config.json"
_OPEN_CLIP_ONLY = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
)
_OPEN_CLIP_WEIGHTS = (
    *_OPEN_CLIP_ONLY,
    *("model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth"),
)
"""open_clip's own order of preference."""

_TRANSFORMERS_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""transformers' own order of preference; an index lists the files that share the weights."""


@dataclass(frozen=True)
class ModelDirectory:
    """A model in a directory.

    Attributes:
        format: "transformers directory" or "open_clip directory".
        config: what stands in its config files.
        weights: the file with the weights, or the files that share them.
        indexed: names of the weights that the files must hold, where an index lists them.
    """

    format: str
    config: ModelConfig
    weights: tuple[Path, ...]
    indexed: tuple[str, ...]


def read_directory(path: Path) -> ModelDirectory:
    """Read the configs of a directory and choose its weights; the weights are not opened.

    A directory may hold a model in both formats: open_clip's is taken where weights have
    open_clip's names, else transformers'. Safetensors are preferred, as both libraries do.

    Raises:
        CheckpointError: there is no config or there are no weights, a config or an index is
            broken, or an index names a file outside the directory or one that is not there.
    """
    has_open_clip_s = any(_is_file(path / name) for name in _OPEN_CLIP_ONLY)
    config = _config(path, prefer_open_clip=has_open_clip_s)
    if config is None:
        raise CheckpointError(
            path,
            f"the directory has neither {_TRANSFORMERS_CONFIG} nor {_OPEN_CLIP_CONFIG}",
            "Give the path of a checkpoint file, or of a directory as transformers or open_clip "
            "save it.",
        )
    names = _OPEN_CLIP_WEIGHTS if config.library == "open_clip" else _TRANSFORMERS_WEIGHTS
    weights = next((path / name for name in names if _is_file(path / name)), None)
    if weights is None:
        raise CheckpointError(
            path, f"the directory has no weights: {listed(names, most=8)}", "Download it whole."
        )
    shard_of = _read_index(weights) if weights.suffix == ".json" else {}
    shards = tuple(dict.fromkeys(shard_of.values())) or (weights,)
    return ModelDirectory(f"{config.library} directory", config, shards, tuple(shard_of))


def join_shards(directory: ModelDirectory, trees: Sequence[Any]) -> Any:
    """What the files of a directory hold together, as if it were one file.

    Args:
        directory: the directory.
        trees: what each of its `weights` holds, in their order.

    Raises:
        CheckpointError: two files hold a weight of the same name, or an indexed one is in none.
    """
    if not directory.indexed:
        return trees[0]
    joined: dict[Any, Any] = {}
    for file, tree in zip(directory.weights, trees, strict=True):
        if not isinstance(tree, Mapping):
            raise CheckpointError(file, "it holds no dict of weights")
        if twice := [str(name) for name in tree if name in joined]:
            raise CheckpointError(file, f"other files of the model hold too: {listed(twice)}")
        joined.update(tree)
    if lost := [name for name in directory.indexed if name not in joined]:
        raise CheckpointError(
            directory.weights[0].parent,
            f"weights that the index lists are in none of its files: {listed(lost)}",
            "Download the directory again.",
        )
    return joined


def config_of(file: Path | None, metadata: Mapping[str, str], path: str) -> ModelConfig | None:
    """The config that belongs to a single file of weights, if there is one.

    Our own in the file's metadata goes first. A config beside the file belongs to it only if its
    library would take such a file from the directory: other checkpoints that happen to lie there
    keep OpenAI's meaning.

    Args:
        file: where the weights are, if they have a place among other files.
        metadata: of the file.
        path: of the file, for errors.
    """
    if (own := own_values(metadata, path)) is not None:
        return ModelConfig("clip", own, Values({}, path))
    if file is None or file.name not in (*_OPEN_CLIP_WEIGHTS, *_TRANSFORMERS_WEIGHTS):
        return None
    return _config(file.parent, prefer_open_clip=file.name in _OPEN_CLIP_ONLY)


def _config(directory: Path, *, prefer_open_clip: bool) -> ModelConfig | None:
    open_clip = _is_file(directory / _OPEN_CLIP_CONFIG)
    transformers = _is_file(directory / _TRANSFORMERS_CONFIG)
    if open_clip and (prefer_open_clip or not transformers):
        return _open_clip_config(directory)
    return _transformers_config(directory) if transformers else None


def _open_clip_config(directory: Path) -> ModelConfig:
    file = directory / _OPEN_CLIP_CONFIG
    content = Values(read_json(file), str(file))
    model = content.section("model_cfg")
    if "embed_dim" not in model:
        raise CheckpointError(file, "it has no model_cfg with an embed_dim")
    return ModelConfig("open_clip", model, content.section("preprocess_cfg"))


def _transformers_config(directory: Path) -> ModelConfig:
    file = directory / _TRANSFORMERS_CONFIG
    return ModelConfig("transformers", Values(read_json(file), str(file)), _processor(directory))


def _processor(directory: Path) -> Values:
    """transformers 5 keeps the picture's part inside the config of the whole processor."""
    images = directory / "preprocessor_config.json"
    if _is_file(images):
        return Values(read_json(images), str(images))
    both = directory / "processor_config.json"
    if _is_file(both):
        return Values(read_json(both), str(both)).section("image_processor")
    return Values({}, str(images))


def _read_index(file: Path) -> dict[str, Path]:
    """Each weight's file, as an index of shards says."""
    shard_of = Values(read_json(file), str(file)).section("weight_map")
    names = {weight: shard_of.get(weight, "") for weight in shard_of}
    if not names:
        raise CheckpointError(file, "its weight_map is empty", "Download the directory again.")
    shards = {name: _shard(file, name) for name in dict.fromkeys(names.values())}
    return {weight: shards[name] for weight, name in names.items()}


def _shard(index: Path, name: str) -> Path:
    if name in ("", ".", "..") or any(
        kind(name).name != name for kind in (PurePosixPath, PureWindowsPath)
    ):
        raise CheckpointError(index, f"it names a file outside the directory: {name!r:.200}")
    file = index.parent / name
    if not _is_file(file):
        raise CheckpointError(
            index, f"the file {name} is not in the directory", "Download it whole."
        )
    return file


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a directory that may not be searched
        return False
