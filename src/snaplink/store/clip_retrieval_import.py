"""What clip-retrieval's inference wrote, read into a store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snaplink.errors import ArgumentError
from snaplink.vectors import Matrix

from .clip_retrieval_export import FOLDERS, Progress
from .keys import KeyIndex, Located, Stamp
from .schema import KEY, STANDARD, column_of, embedding_column
from .writer import Writer

__all__ = ["Imported", "Layout"]

_AT_ONCE = 8192
_AS_THEY_ARE = {"caption", "width", "height", "sha256"}


@dataclass(frozen=True)
class Imported:
    """What was read: rows added, rows that the store had before, rows without any vector."""

    added: int
    known: int
    failed: int


class Layout:
    """A directory in this layout, found and measured.

    Args:
        folder: what clip-retrieval's inference wrote into.

    Attributes:
        modalities: of "image" and "text", those that there are.
        dim: width of the vectors.
        rows: how many there are.

    Raises:
        ArgumentError: it is no such directory, or its files do not fit together.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._metadata = _numbered(folder / "metadata", "parquet")
        by_modality = {name: _numbered(folder / sub, "npy") for name, sub in FOLDERS.items()}
        self._vectors = {name: files for name, files in by_modality.items() if files}
        self.modalities = tuple(self._vectors)
        if not self.modalities or not self._metadata:
            raise ArgumentError(
                f"{folder} is not what clip-retrieval writes: img_emb/ or text_emb/, and metadata/"
            )
        self.rows = 0
        widths = set()
        for number, metadata in self._metadata.items():
            rows = _rows_of(metadata)
            self.rows += rows
            for matrix in self._matrices(number).values():
                if matrix.ndim != 2 or len(matrix) != rows or matrix.dtype.kind != "f":
                    raise ArgumentError(f"{metadata} has {rows} rows, and its vectors others")
                widths.add(matrix.shape[1])
        if len(widths) > 1:
            raise ArgumentError(f"{folder} has vectors of several widths: {sorted(widths)}")
        self.dim = widths.pop()

    def _matrices(self, number: int) -> dict[str, Matrix]:
        """Of one partition, mapped, by modality."""
        matrices = {}
        for modality, files in self._vectors.items():
            if files.keys() != self._metadata.keys():
                raise ArgumentError(f"{self.folder}: {FOLDERS[modality]}/ and metadata/ differ")
            try:
                matrices[modality] = np.load(files[number], mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise ArgumentError(f"{files[number]} is damaged: {error}") from None
        return matrices

    def read_into(
        self,
        writer: Writer,
        *,
        key: str | None = None,
        progress: Progress = lambda rows: None,
    ) -> Imported:
        """Add the rows to a store. Those that it has are left as they are: go on where you were.

        Args:
            writer: of the store.
            key: the column that names rows; by default ``image_path``, or else the number of the
                partition and of the row.
            progress: called with the number of rows that were read, as they are.

        Raises:
            ArgumentError: two rows have one key, or there is no such column.
        """
        seen = KeyIndex()
        known = writer.known()
        before = len(known)
        failed = 0
        for number in self._metadata:
            for table in self._tables(number, key):
                keys = table[KEY].to_pylist()
                self._note(keys, seen)
                new = [place for place, name in enumerate(keys) if name not in known]
                table = table.take(pa.array(new, pa.int64()))
                empty = reduce(pc.and_, (_nulls(table, name) for name in self.modalities))
                for name in table[KEY].filter(empty).to_pylist():
                    writer.fail(name, "no vector in what was imported")
                    failed += 1
                writer.append(table.filter(pc.invert(empty)))
                progress(len(keys))
        writer.flush()
        added = len(known) - before
        return Imported(added, self.rows - added - failed, failed)

    def _note(self, keys: list[str], seen: KeyIndex) -> None:
        for name in keys:
            if seen.find(name) is not None:
                raise ArgumentError(
                    f"{self.folder} has two rows {name!r}: name a column that tells them apart "
                    "with --key"
                )
            seen.add([name], [Located(0, Stamp())])

    def _tables(self, number: int, key: str | None) -> Iterator[pa.Table]:
        matrices = self._matrices(number)
        row = 0
        file = pq.ParquetFile(self._metadata[number])
        for batch in file.iter_batches(batch_size=_AT_ONCE):
            table = _renamed(pa.Table.from_batches([batch]), key, f"{number}:", row)
            for modality, matrix in matrices.items():
                vectors, missing = _embeddings(matrix[row : row + len(batch)])
                column = embedding_column(vectors, missing=missing)
                table = table.append_column(column_of(modality), column)
            row += len(batch)
            yield table


def _numbered(folder: Path, ending: str) -> dict[int, Path]:
    """The files of a folder by the number that their names end with, in its order."""
    found = {}
    for path in folder.glob(f"*.{ending}"):
        if match := re.search(r"_(\d+)$", path.stem):
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def _rows_of(metadata: Path) -> int:
    try:
        return int(pq.read_metadata(metadata).num_rows)
    except (OSError, pa.ArrowException) as error:
        raise ArgumentError(f"{metadata} is damaged: {error}") from None


def _nulls(table: pa.Table, modality: str) -> pa.ChunkedArray:
    return pc.is_null(table[column_of(modality)])


def _embeddings(matrix: Matrix) -> tuple[Matrix, Matrix]:
    """Rows of length 1, and which of them were zeros: those hold no vector."""
    exact = np.asarray(matrix, np.float32)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    missing = lengths[:, 0] == 0
    return exact / np.where(lengths > 0, lengths, 1), missing


def _renamed(table: pa.Table, key: str | None, prefix: str, row: int) -> pa.Table:
    """Their columns under names of ours; what clashes is called ``original_…``."""
    names = table.column_names
    named_by = key or ("image_path" if "image_path" in names else None)
    if named_by is None:
        keys = pa.array([f"{prefix}{number}" for number in range(row, row + len(table))])
    elif named_by not in names:
        raise ArgumentError(f"there is no column {named_by!r}: there are {', '.join(names)}")
    else:
        keys = table[named_by].cast(pa.string())
    source = table["image_path"] if "image_path" in names else keys
    columns = {KEY: keys, "source": source.cast(pa.string())}
    for name in names:
        if name in ("image_path", "__index_level_0__") or (name == KEY and table[name] == keys):
            continue
        columns[_free_name(table, name)] = table[name]
    return pa.table(columns)


def _free_name(table: pa.Table, name: str) -> str:
    # In SQL, upper and lower case are one.
    standard = name.lower() in [*STANDARD.names, *map(column_of, FOLDERS)]
    if not standard or (name in _AS_THEY_ARE and _fits(table, name)):
        return name
    return f"original_{name}"


def _fits(table: pa.Table, name: str) -> bool:
    try:
        table[name].cast(STANDARD.field(name).type)
    except pa.ArrowException:
        return False
    return True
