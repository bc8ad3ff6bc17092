"""A store in the layout of clip-retrieval's inference: `img_emb/`, `text_emb/`, `metadata/`.

As its `clip_inference/writer.py` writes it: partitions of at most a million rows, numbered with
zeros before; float16 vectors of length 1; row i of every file of a partition belongs together.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snaplink.errors import ArgumentError
from snaplink.vectors import Matrix, Vectors

from .files import temporary, write_whole
from .schema import KEY
from .store import Store

__all__ = ["FOLDERS", "Exported", "Progress", "export"]

FOLDERS = {"image": "img_emb", "text": "text_emb"}
ROWS_PER_FILE = 1_000_000
_AT_ONCE = 8192

Progress = Callable[[int], object]


@dataclass(frozen=True)
class Exported:
    """What was written: how many rows and partitions, and by modality how many had no vector."""

    rows: int
    partitions: int
    missing: dict[str, int]


def export(
    store: Store,
    out: Path,
    *,
    rows_per_file: int = ROWS_PER_FILE,
    progress: Progress = lambda rows: None,
) -> Exported:
    """Write a store in this layout; raw vectors are brought to length 1.

    A row without a vector has zeros, which are near to nothing, so that rows still correspond.

    Args:
        store: what to write.
        out: the directory to make; it appears when all of it is written.
        rows_per_file: of each partition.
        progress: called with the number of rows that were written, as they are.

    Raises:
        ArgumentError: `out` is there already or has no name, or the store is empty.
    """
    if not out.name:  # ".", which nothing can be renamed to
        raise ArgumentError(f"{out} is the folder that you are in: name a new directory")
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise ArgumentError(f"{out} is there already: name a new directory")
    if not len(store):
        raise ArgumentError(f"{store.path} has no rows to export")
    beside = temporary(out)
    shutil.rmtree(beside, ignore_errors=True)
    starts = range(0, len(store), rows_per_file)
    try:
        for partition, start in enumerate(starts):
            stop = min(start + rows_per_file, len(store))
            _write_partition(store, beside, _number(partition, len(starts)), start, stop)
            progress(stop - start)
        with suppress(FileNotFoundError):
            out.rmdir()  # empty; Windows replaces no directory
        beside.replace(out)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    missing = {name: store.vectors(name).missing for name in store.modalities}
    return Exported(len(store), len(starts), missing)


def _number(partition: int, count: int) -> str:
    """As long as the logarithm of the count says: 0 of one, 00 of ten."""
    return str(partition).zfill(len(str(count)))


def _write_partition(store: Store, out: Path, number: str, start: int, stop: int) -> None:
    for modality in store.modalities:
        folder = out / FOLDERS[modality]
        folder.mkdir(parents=True, exist_ok=True)
        vectors = store.vectors(modality)

        def write(file: BinaryIO, vectors: Vectors = vectors) -> None:
            shape = {"descr": "<f2", "fortran_order": False, "shape": (stop - start, store.dim)}
            np.lib.format.write_array_header_1_0(file, shape)
            for matrix in _between(vectors, start, stop):
                unit = _unit(matrix, trusted=store.fingerprint.normalized)
                file.write(np.ascontiguousarray(unit).data.cast("B"))

        write_whole(folder / f"{folder.name}_{number}.npy", write)
    metadata = out / "metadata"
    metadata.mkdir(exist_ok=True)
    table = _metadata(store.take(np.arange(start, stop)))
    write_whole(
        metadata / f"metadata_{number}.parquet",
        lambda file: pq.write_table(table, pa.PythonFile(file, mode="w")),
    )


def _between(vectors: Vectors, start: int, stop: int) -> Iterator[Matrix]:
    """The rows from start to stop, not too many at once."""
    for first, block in vectors.blocks():
        low, high = max(start - first, 0), min(stop - first, len(block))
        for row in range(low, high, _AT_ONCE):
            yield block[row : min(row + _AT_ONCE, high)]


def _unit(matrix: Matrix, *, trusted: bool) -> Matrix:
    """Rows of length 1 in float16; zeros for those that are missing."""
    exact = np.nan_to_num(matrix.astype(np.float32), nan=0.0)
    if not trusted:
        lengths = np.linalg.norm(exact, axis=1, keepdims=True)
        exact /= np.where(lengths > 0, lengths, 1)
    return exact.astype("<f2")


def _metadata(table: pa.Table) -> pa.Table:
    """The key as ``image_path``, then ``caption``, then all else that any row has."""
    columns = {"image_path": table[KEY]}
    if table["caption"].null_count < len(table):
        columns["caption"] = table["caption"].fill_null("")
    for name in table.column_names:
        if name not in (KEY, "caption", "image_path") and table[name].null_count < len(table):
            columns[name] = table[name]
    return pa.table(columns)
