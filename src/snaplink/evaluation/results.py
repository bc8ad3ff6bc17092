"""What an evaluation found, and its files: CLIP_benchmark's, and the details beside it."""

from __future__ import annotations

import gzip
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snaplink.errors import ArgumentError
from snaplink.files import put
from snaplink.labelled.data import Task

__all__ = ["DETAILS", "Result", "beside", "read"]

DETAILS = ".details.json.gz"
"""How the file beside a result ends: not in .json, which ``clip_benchmark build`` would read."""

_FORMAT = 2


@dataclass(frozen=True)
class Result:
    """What an evaluation found.

    Attributes:
        dataset: what the data are called.
        model, pretrained: the model, as CLIP_benchmark names it.
        task: what was asked.
        metrics: the figures, fractions from 0 to 1, by CLIP_benchmark's names.
        intervals: the 95 % interval of those that have one.
        class_names: of the classes; empty for retrieval.
        templates: the prompts; empty for retrieval.
        outcomes: what happened to each picture, columns by name.
        about: how it was measured: the model's fingerprint, versions, the command, and more.
    """

    dataset: str
    model: str
    pretrained: str
    task: Task
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    class_names: Sequence[str]
    templates: Sequence[str]
    outcomes: Mapping[str, list[Any]]
    about: Mapping[str, Any]

    @property
    def headline(self) -> str:
        """The name of the figure that says most."""
        return next(iter(self.metrics))

    @property
    def pictures(self) -> int:
        """How many were measured."""
        return len(self.outcomes["keys"])

    def benchmark(self) -> dict[str, Any]:
        """The fields that CLIP_benchmark writes, with each interval as two more metrics."""
        bounds = {
            f"{name}_{side}": value
            for name, pair in self.intervals.items()
            for side, value in zip(("low", "high"), pair, strict=True)
        }
        metrics = {name: _number(value) for name, value in {**self.metrics, **bounds}.items()}
        retrieval = self.task == "retrieval"
        return {
            "dataset": self.dataset,
            "model": self.model,
            "pretrained": self.pretrained,
            "task": "zeroshot_retrieval" if retrieval else "zeroshot_classification",
            "metrics": metrics,
            "language": "en",
        }

    def details(self) -> dict[str, Any]:
        """Everything else, for reports and comparisons."""
        return {
            "format": _FORMAT,
            "task": self.task,
            "class_names": list(self.class_names),
            "templates": list(self.templates),
            "metrics": {name: _number(value) for name, value in self.metrics.items()},
            "intervals": {name: list(pair) for name, pair in self.intervals.items()},
            "about": dict(self.about),
            "outcomes": dict(self.outcomes),
        }

    def write(self, path: Path) -> None:
        """Write both files; neither is ever there in part.

        Raises:
            ArgumentError: the name does not end in .json.
            OSError: the folder is not there, or not to be written to.
        """
        self.write_details(path)
        put(path, (_json(self.benchmark(), indent=2) + "\n").encode())

    def write_details(self, path: Path) -> None:
        """Write only the file beside `path`, where others write their own result; see `write`."""
        put(beside(path), gzip.compress(_json(self.details()).encode(), mtime=0))


def read(path: Path) -> Result:
    """Read what `Result.write` wrote, or a probe.

    Raises:
        ArgumentError: there is no such file, no details beside it, or either is another's.
    """
    details = beside(path)
    if not path.is_file():
        raise ArgumentError(f"there is no file {os.fspath(path)!r}")
    if not details.is_file():
        raise ArgumentError(
            f"{path}: {details.name}, with the outcome of each picture, is not beside it. It is "
            "written by the --output of snaplink eval and probe; keep the two together"
        )
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        more = json.loads(gzip.decompress(details.read_bytes()))
        if more["format"] != _FORMAT:
            raise ArgumentError(f"{details}: of another version of snaplink ({more['format']!r})")
        _demand_whole(more)
        return Result(
            told["dataset"],
            told["model"],
            told["pretrained"],
            more["task"],
            {name: _float(value) for name, value in more["metrics"].items()},
            {name: (low, high) for name, (low, high) in more["intervals"].items()},
            more["class_names"],
            more["templates"],
            more["outcomes"],
            more["about"],
        )
    except (KeyError, ValueError, TypeError, AttributeError, OSError, EOFError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(
            f"{path} and {details.name} are not a result of snaplink eval or probe, or damaged "
            f"({error!r}): write them again with snaplink eval or snaplink probe, and --output"
        ) from None


_COLUMNS = {
    "classification": ("labels", "predictions", "confidences", "ranks"),
    "multilabel": ("labels", "scores"),
    "retrieval": ("text_ranks",),
}


def _demand_whole(details: Mapping[str, Any]) -> None:
    """Raises ValueError where a picture lacks a part of its outcome."""
    outcomes, classes = details["outcomes"], len(details["class_names"])
    pictures = len(outcomes["keys"])
    for name in _COLUMNS[details["task"]]:
        if len(outcomes[name]) != pictures:
            raise ValueError(f"{name} of {len(outcomes[name])} pictures, but {pictures} keys")
    if details["task"] == "retrieval":
        if len(outcomes["owners"]) != len(outcomes["image_ranks"]):
            raise ValueError("captions without a picture")
    elif details["task"] == "multilabel":
        if any(len(row) != classes for row in outcomes["scores"]):
            raise ValueError(f"scores of other classes than the {classes}")
    elif any(not 0 <= label < classes for label in outcomes["labels"]):
        raise ValueError(f"labels beyond the {classes} classes")


def beside(path: Path) -> Path:
    """The file of details beside a result.

    Raises:
        ArgumentError: the result's name does not end in .json.
    """
    if path.suffix != ".json":
        raise ArgumentError(f"{os.fspath(path)!r}: the name of a result must end in .json")
    return path.with_name(path.stem + DETAILS)


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)
