"""What a checkpoint is, read from its headers: no model is built and no weight is read."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from clip import cache, checkpoint, hub, receipts
from clip.architecture import Architecture
from clip.checkpoint import Checkpoint, Entry
from clip.registry import OFFICIAL, TINY, OfficialModel, official_name

from .errors import ArgumentError

__all__ = ["CheckpointFacts", "WeightFile", "inspect_checkpoint", "locate"]

# BatchNorm's statistics are state, not parameters.
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class WeightFile:
    """A file that holds weights: its path, its size in bytes, and its SHA-256."""

    path: str
    nbytes: int
    sha256: str


@dataclass(frozen=True)
class CheckpointFacts:
    """What the headers of a checkpoint say.

    Attributes:
        path: of the file or directory.
        official: the official model, or tiny, that it is to the byte; None for any other.
        format: of the container, in words.
        layout: whose names the weights have: OpenAI's, open_clip's or transformers'.
        architecture: the sizes that the shapes show.
        activation: ``"quick_gelu"``, ``"gelu"``, or None where neither file nor sizes tell.
        parameters: how many numbers training would change.
        dtypes: names of stored dtypes to the number of parameters in each, the most first.
        files: the files with the weights.
    """

    path: str
    official: str | None
    format: str
    layout: str
    architecture: Architecture
    activation: str | None
    parameters: int
    dtypes: dict[str, int]
    files: tuple[WeightFile, ...]


def inspect_checkpoint(name: str | os.PathLike[str]) -> CheckpointFacts:
    """Describe a checkpoint.

    Args:
        name: as for `locate`.

    Raises:
        ArgumentError: see `locate`.
        clip.errors.CheckpointError: there is no CLIP model in it.

    >>> inspect_checkpoint("tiny").official
    'tiny'
    """
    with checkpoint.open(locate(name)) as opened:
        counts: Counter[str] = Counter()
        for key, entry in opened.tensors.items():
            if not key.endswith(_STATISTICS):
                counts.update(_counts(entry))
        files = tuple(map(_weight_file, sorted(_paths(opened))))
        return CheckpointFacts(
            path=opened.path,
            official=_official(files),
            format=opened.format,
            layout=opened.layout,
            architecture=opened.architecture,
            activation=opened.meaning.activation,
            parameters=counts.total(),
            dtypes=dict(counts.most_common()),
            files=files,
        )


def locate(name: str | os.PathLike[str]) -> Path:
    """The path of a checkpoint, by the names that `clip.load` knows. No official one is downloaded.

    Args:
        name: a file or directory, ``"tiny"``, ``"local-dir:PATH"``, ``"hf-hub:owner/name"``, or an
            official name whose file is in the cache, where it is verified.

    Raises:
        ArgumentError: an official model is not in the cache or is damaged there, or nothing has
            this name.
        clip.errors.DownloadError: the Hub did not give the files.
    """
    name = os.fspath(name)
    path = name.removeprefix("local-dir:")
    if os.path.exists(path):  # noqa: PTH110  # pathlib's raises for a name that is too long
        return Path(path)
    if name == "tiny":
        return TINY
    if name.startswith("hf-hub:"):
        return hub.snapshot(name)
    official = official_name(name)
    if official is None:
        raise ArgumentError(f"{name!r:.200} is neither a file or directory nor a model's name")
    return _cached(OFFICIAL[official])


def _cached(model: OfficialModel) -> Path:
    path = cache.place(model.file)
    if not path.is_file():
        raise ArgumentError(f"{model.name} is not in the cache: snaplink download {model.name}")
    if not receipts.verify_path(path, model.sha256, model.nbytes):
        raise ArgumentError(
            f"{path} is not {model.name} as published: snaplink verify --repair {model.name}"
        )
    return path


def _counts(entry: Entry) -> dict[str, int]:
    parts = entry if isinstance(entry, tuple) else (entry,)
    return {str(parts[0].dtype).removeprefix("torch."): sum(math.prod(p.shape) for p in parts)}


def _paths(opened: Checkpoint) -> set[str]:
    entries = opened.tensors.values()
    parts = (part for each in entries for part in (each if isinstance(each, tuple) else (each,)))
    return {part.source.path for part in parts}


def _weight_file(path: str) -> WeightFile:
    with Path(path).open("rb") as file:
        return WeightFile(path, os.fstat(file.fileno()).st_size, receipts.sha256_of(file))


def _official(files: tuple[WeightFile, ...]) -> str | None:
    """The model by its hash alone: a copy under any name is still that model."""
    if len(files) != 1:
        return None
    if TINY.is_file() and Path(files[0].path).samefile(TINY):
        return "tiny"
    return next((m.name for m in OFFICIAL.values() if m.sha256 == files[0].sha256), None)
