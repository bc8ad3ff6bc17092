"""Tables: CSV or Parquet, a row a picture, with its label, its labels or its captions."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from snaplink.errors import ArgumentError

from .classes import ClassNames, classes
from .data import Labelled, Sample, Source, Task

__all__ = ["ENDINGS", "Columns", "labelled", "read"]

ENDINGS = {".csv": ",", ".tsv": "\t", ".parquet": ""}
_PICTURES = ("picture", "image", "path", "file", "filename", "file_name", "filepath", "image_path")


@dataclass(frozen=True)
class Columns:
    """What a table's columns are called, what parts several labels in a cell, and whether class
    names are a published list; see `classes.classes`."""

    label: str = "label"
    picture: str | None = None
    caption: str = "caption"
    separator: str | None = None
    published: bool = False


def read(
    path: Path,
    name: str,
    columns: Columns,
    *,
    task: Task | None = None,
    class_names: ClassNames | None = None,
) -> Labelled:
    """Labelled pictures of a table; see `door.open`."""
    if path.suffix.lower() == ".parquet":
        table, sources, keys, names = _read_parquet(path, columns)
        return labelled(name, table, keys, sources, columns, task, class_names or names)
    table = _read_csv(path, ENDINGS[path.suffix.lower()])
    picture = _picture_column(path, list(table), columns)
    keys = [str(cell) for cell in table[picture]]
    return labelled(name, table, keys, [path.parent / k for k in keys], columns, task, class_names)


def labelled(
    name: str,
    table: Mapping[str, Sequence[Any]],
    keys: Sequence[str],
    sources: Sequence[Source | None],
    columns: Columns,
    task: Task | None,
    class_names: ClassNames | None,
    *,
    of_folders: bool = False,
) -> Labelled:
    """What a table's rows say of pictures that are already found.

    Args:
        name: of the data.
        table: columns by name.
        keys: of the rows.
        sources: of the rows' pictures.
        columns: what to look for.
        task: by default classification where there are labels, else retrieval.
        class_names: see `classes.classes`.
        of_folders: the labels are names of folders, and so names even where they are digits.
    """
    task = task or _task(name, table, columns)
    wanted = columns.caption if task == "retrieval" else columns.label
    if wanted not in table:
        raise ArgumentError(f"{name}: no column {wanted!r}, but {', '.join(map(repr, table))}")
    cells = table[wanted]
    if task == "retrieval":
        return Labelled(name, task, _captioned(keys, sources, cells))
    sets = [_labels(cell, columns.separator if task == "multilabel" else None) for cell in cells]
    if task == "classification":
        _demand_one(name, keys, sets)
    found = [label for each in sets for label in each]
    numbers = not of_folders and bool(found) and all(label.isdecimal() for label in found)
    known = classes(found, class_names, numbers=numbers, published=columns.published)
    samples = [
        Sample(key, source, tuple(known.positions[label] for label in each))
        for key, source, each in zip(keys, sources, sets, strict=True)
    ]
    return Labelled(name, task, samples, known.names, known.synonyms)


def _task(name: str, table: Mapping[str, Sequence[Any]], columns: Columns) -> Task:
    if columns.label in table:
        several = any(not isinstance(cell, str | int | None) for cell in table[columns.label])
        return "multilabel" if several or columns.separator else "classification"
    if columns.caption in table:
        return "retrieval"
    raise ArgumentError(
        f"{name}: neither a column {columns.label!r} nor {columns.caption!r}, but "
        f"{', '.join(map(repr, table))}: say with --label which one holds the labels"
    )


def _labels(cell: Any, separator: str | None) -> list[str]:
    if cell is None or cell == "":
        return []
    if isinstance(cell, str):
        parts = cell.split(separator) if separator else [cell]
        return [part.strip() for part in parts if part.strip()]
    if isinstance(cell, float) and not cell.is_integer():
        raise ArgumentError(f"the label {cell!r} is neither a name nor a whole number")
    if isinstance(cell, int | float):
        return [str(int(cell))]
    return [label for part in cell for label in _labels(part, None)]


def _demand_one(name: str, keys: Sequence[str], sets: Sequence[Sequence[str]]) -> None:
    for key, each in zip(keys, sets, strict=True):
        if len(each) != 1:
            raise ArgumentError(f"{name}: {key!r} has {len(each) or 'no'} labels: give it one")


def _captioned(
    keys: Sequence[str], sources: Sequence[Source | None], cells: Sequence[Any]
) -> list[Sample]:
    """A picture may have several captions in a cell, or several rows."""
    captions: dict[str, list[str]] = {}
    where: dict[str, Source | None] = {}
    for key, source, cell in zip(keys, sources, cells, strict=True):
        found = [cell] if isinstance(cell, str) else list(cell or ())
        captions.setdefault(key, []).extend(text.strip() for text in found if text.strip())
        where.setdefault(key, source)
    bare = [key for key, texts in captions.items() if not texts]
    if bare:
        raise ArgumentError(f"{bare[0]!r} has no caption: leave out pictures without one")
    return [Sample(key, where[key], captions=tuple(texts)) for key, texts in captions.items()]


def _picture_column(path: Path, names: Sequence[str], columns: Columns) -> str:
    wanted = (columns.picture,) if columns.picture else _PICTURES
    found = next((name for name in wanted if name in names), None)
    if found is None:
        raise ArgumentError(
            f"{path}: no column {wanted[0]!r} with the pictures, but "
            f"{', '.join(map(repr, names)) or 'none at all'}: say with --picture which one it is"
        )
    return found


def _read_csv(path: Path, delimiter: str) -> dict[str, list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=delimiter, strict=True)
            header = next(rows, [])
            if twice := [name for name in header if header.count(name) > 1]:
                raise ArgumentError(f"{path}: two columns are called {twice[0]!r}: rename one")
            table: dict[str, list[str]] = {name: [] for name in header}
            for row in rows:
                if row and len(row) != len(header):
                    raise ArgumentError(
                        f"{path}, line {rows.line_num}: {len(row)} cells under "
                        f"{len(header)} headings"
                    )
                for name, cell in zip(header, row, strict=False):
                    table[name].append(cell)
    except UnicodeDecodeError:
        raise ArgumentError(f"{path} is not text in UTF-8: save it as such") from None
    except csv.Error as error:
        raise ArgumentError(f"{path} cannot be read as a table: {error}") from None
    return table


def _read_parquet(
    path: Path, columns: Columns
) -> tuple[dict[str, list[Any]], list[Source | None], list[str], ClassNames | None]:
    """The columns without the pictures' bytes; the pictures; the keys; the names of the classes."""
    from .packages import needed

    pq = needed("pyarrow.parquet", "Parquet files", "eval")
    try:
        file = pq.ParquetFile(path, memory_map=True)
    except Exception as error:  # pyarrow's own errors are of several kinds
        raise ArgumentError(f"{path} cannot be read as Parquet: {error}") from None
    schema = file.schema_arrow
    if twice := [name for name in schema.names if schema.names.count(name) > 1]:
        raise ArgumentError(f"{path}: two columns are called {twice[0]!r}: rename one")
    picture = _picture_column(path, schema.names, columns)
    kept = [name for name in (columns.label, columns.caption) if name in schema.names]
    kind = str(schema.field(picture).type)
    if "string" in kind and "struct" not in kind:
        table = file.read([*kept, picture]).to_pydict()
        keys = [str(cell) for cell in table.pop(picture)]
        return table, [path.parent / key for key in keys], keys, _class_names(schema, columns)
    rows = file.metadata.num_rows
    groups = _RowGroups(file, picture)
    keys = [f"{i:0{len(str(rows - 1))}d}" for i in range(rows)]
    sources: list[Source | None] = [_Cell(groups, i) for i in range(rows)]
    return file.read(kept).to_pydict(), sources, keys, _class_names(schema, columns)


def _class_names(schema: Any, columns: Columns) -> list[str] | None:
    """The names of a ClassLabel, which `datasets` writes into its Parquet files."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = features[columns.label]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return list(names)


class _RowGroups:
    """Reads the pictures' bytes a row group at a time and keeps the last two."""

    def __init__(self, file: Any, column: str) -> None:
        self.file, self.column = file, column
        self.starts = [0]
        for group in range(file.metadata.num_row_groups):
            self.starts.append(self.starts[-1] + file.metadata.row_group(group).num_rows)
        self.kept: dict[int, Any] = {}
        self.lock = Lock()

    def cell(self, row: int) -> Any:
        group = next(i for i, start in enumerate(self.starts[1:]) if row < start)
        with self.lock:
            if group not in self.kept:
                if len(self.kept) > 1:
                    del self.kept[next(iter(self.kept))]
                self.kept[group] = self.file.read_row_group(group, [self.column])[self.column]
            return self.kept[group][row - self.starts[group]].as_py()


@dataclass(frozen=True)
class _Cell:
    """A picture's bytes in a Parquet file: plain, or as `datasets` keeps them."""

    groups: _RowGroups
    row: int

    def __call__(self) -> bytes:
        cell = self.groups.cell(self.row)
        content = cell.get("bytes") if isinstance(cell, Mapping) else cell
        if isinstance(content, bytes):
            return content
        return b""
