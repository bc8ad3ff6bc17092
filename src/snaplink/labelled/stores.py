"""A store made by `snaplink embed`: labels from its metadata, features from its vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snaplink.errors import ArgumentError

from .classes import ClassNames, spelt
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
    store = needed("snaplink.store", "embed").Store.open(path)
    table = store.table().to_pydict()
    keys = [str(key) for key in table["key"]]
    if columns.label == "label" and "label" not in table and not any(table.get("caption", ())):
        table["label"] = _folder_names(name, keys)
    kept = {key: table[key] for key in (columns.label, columns.caption) if key in table}
    shown = kept or table
    sources = [_file(source) for source in table.get("source", [None] * len(keys))]
    found = labelled(name, shown, keys, sources, columns, task, class_names)
    rows = {key: row for row, key in enumerate(keys)}
    order = np.asarray([rows[sample.key] for sample in found.samples])
    return replace(found, stored=Stored(store.fingerprint, _reader(store, order)))


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
    return [spelt(key.rsplit("/", 2)[-2]) for key in keys]


def _file(source: Any) -> Source | None:
    path = Path(str(source)) if source else None
    return path if path is not None and path.is_file() else None
