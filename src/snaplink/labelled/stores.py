"""A store made by `snaplink embed`: labels from its metadata, features from its vectors."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snaplink.errors import ArgumentError

from .classes import ClassNames
from .data import Labelled, Source, Stored, Task
from .packages import needed
from .tables import Columns, labelled

__all__ = ["is_store", "read"]


def is_store(data: Path) -> bool:
    """Whether `snaplink embed` made this folder."""
    return (data / "manifest.json").is_file()


def read(
    path: Path,
    name: str,
    columns: Columns,
    *,
    task: Task | None = None,
    class_names: ClassNames | None = None,
) -> Labelled:
    """Labelled features of a store; see `door.open`."""
    needed("pyarrow", "stores", "embed")
    store = needed("snaplink.store", "stores").Store.open(path)
    names = set(store.schema.names)
    wanted = [each for each in (columns.label, columns.caption) if each in names]
    table = store.table(["key", "source", *wanted]).to_pydict()
    keys, sources = _relative(table.pop("key")), table.pop("source")
    if wanted == [columns.caption] and not any(table[columns.caption]):
        del table[columns.caption]
    of_folders = columns.label == "label" and not table
    if of_folders:
        table["label"] = _folder_names(name, keys)
    files = [_file(source) for source in sources]
    found = labelled(name, table, keys, files, columns, task, class_names, of_folders=of_folders)
    rows = {key: row for row, key in enumerate(keys)}
    order = np.asarray([rows[sample.key] for sample in found.samples])
    return replace(found, stored=Stored(store.fingerprint, _reader(store, order)))


def _relative(keys: list[str]) -> list[str]:
    """The keys from the folder that they have in common, so that they agree across machines."""
    # URLs and members of archives, too, so letters are compared, and cut at a slash.
    parent = os.path.commonprefix(keys).rpartition("/")[0]  # noqa: RUF071  # keys: not all are paths
    return [key[len(parent) :].lstrip("/") for key in keys]


def _reader(store: Any, order: np.ndarray) -> Callable[[], np.ndarray]:
    def read_matrix() -> np.ndarray:
        return np.asarray(store.vectors("image").take(order), dtype=np.float32)

    return read_matrix


def _folder_names(name: str, keys: list[str]) -> list[str]:
    """A picture's class folder, where the store was made of class folders."""
    if not all("/" in key for key in keys):
        raise ArgumentError(
            f"{name}: the store holds no column 'label', and its pictures do not lie in class "
            "folders: say with --label which of its columns holds the labels"
        )
    return [key.partition("/")[0] for key in keys]


def _file(source: Any) -> Source | None:
    path = Path(str(source)) if source else None
    return path if path is not None and path.is_file() else None
