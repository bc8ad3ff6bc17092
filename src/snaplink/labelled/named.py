"""Data sets by name, where torchvision or `datasets` is installed."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from snaplink.errors import ArgumentError

from .classes import ClassNames, classes
from .data import Labelled, Sample, Task
from .packages import needed
from .tables import Columns, labelled

__all__ = ["LIBRARIES", "read"]

LIBRARIES = ("torchvision", "datasets")


def read(
    given: str,
    columns: Columns,
    *,
    task: Task | None = None,
    split: str | None = None,
    class_names: ClassNames | None = None,
    root: str | os.PathLike[str] = "data",
) -> Labelled:
    """Labelled pictures of ``LIBRARY:NAME``; see `door.open`."""
    library, _, name = given.partition(":")
    if library == "torchvision":
        return _torchvision(name, split or "test", class_names, root)
    return _datasets(name, columns, task, split or "test", class_names)


@dataclass(frozen=True)
class _Item:
    """A picture of a data set that decodes by itself."""

    data: Any
    row: int
    column: str | int

    def __call__(self) -> Image.Image | bytes:
        found = self.data[self.row][self.column]
        if isinstance(found, Image.Image | bytes):
            return found
        raise ArgumentError(f"row {self.row} has a {type(found).__name__} for a picture")


def _torchvision(
    name: str, split: str, class_names: ClassNames | None, root: str | os.PathLike[str]
) -> Labelled:
    sets = needed("torchvision.datasets", "data sets of torchvision")
    made: Callable[..., Any] | None = getattr(sets, name, None)
    if made is None or not isinstance(made, type):
        raise ArgumentError(f"torchvision has no data set {name!r}; capitals count, as in CIFAR10")
    try:
        data = made(os.fspath(root), **_arguments(made, split))
    except (RuntimeError, FileNotFoundError, ValueError, TypeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ArgumentError(
            f"torchvision cannot open {name} in {root}: {reason}. Get it first, such as with "
            f"torchvision.datasets.{name}({os.fspath(root)!r}, download=True)"
        ) from None
    numbers = _targets(data)
    names = class_names or getattr(data, "classes", None)
    known = classes(map(str, numbers), names, numbers=True, published=True)
    width = len(str(len(numbers)))
    samples = [
        Sample(f"{row:0{width}d}", _Item(data, row, 0), (known.positions[str(number)],))
        for row, number in enumerate(numbers)
    ]
    return Labelled(name, "classification", samples, known.names, known.synonyms)


def _arguments(made: Any, split: str) -> dict[str, Any]:
    parameters = inspect.signature(made).parameters
    if "split" in parameters:
        return {"split": split}
    return {"train": split == "train"} if "train" in parameters else {}


def _targets(data: Any) -> list[int]:
    """The classes' numbers, without decoding a picture where the data set keeps them apart."""
    for attribute in ("targets", "labels", "_labels"):
        if (kept := getattr(data, attribute, None)) is not None and len(kept) == len(data):
            return [int(number) for number in kept]
    return [int(data[row][1]) for row in range(len(data))]


def _datasets(
    name: str, columns: Columns, task: Task | None, split: str, class_names: ClassNames | None
) -> Labelled:
    library = needed("datasets", "data sets of datasets")
    try:
        data = (
            library.load_from_disk(name)
            if (Path(name) / "dataset_dict.json").exists() or (Path(name) / "state.json").exists()
            else library.load_dataset(name)
        )
        data = data[split] if isinstance(data, dict) else data
    except (KeyError, ValueError, OSError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ArgumentError(
            f"datasets cannot open the part {split!r} of {name}: {reason}"
        ) from None
    picture = columns.picture or next(
        (key for key, kind in data.features.items() if type(kind).__name__ == "Image"), None
    )
    if picture is None:
        raise ArgumentError(f"{name}: no column of pictures, but {', '.join(data.features)}")
    table = {key: data[key][:] for key in (columns.label, columns.caption) if key in data.features}
    width = len(str(len(data)))
    rows: Sequence[int] = range(len(data))
    return labelled(
        Path(name).name,
        table,
        [f"{row:0{width}d}" for row in rows],
        [_Item(data, row, picture) for row in rows],
        columns,
        task,
        class_names or getattr(data.features.get(columns.label), "names", None),
    )
