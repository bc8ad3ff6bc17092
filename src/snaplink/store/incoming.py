"""What is appended, checked and brought into the form of the store, until it is committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from snaplink.errors import StoreError
from snaplink.vectors import Matrix

from .keys import Stamp
from .manifest import Manifest
from .schema import KEY, column_of, conform, embedding_column, matrix_of, plain, unified

__all__ = ["Incoming", "stamps_of"]

NOT_FINITE = "the model gave numbers that are not finite (NaN or infinite)"
_TOLERANCE = 0.02  # of a length of 1; halves are rounded to one part in 2048


class Incoming:
    """Rows that wait to be written. Of rows with one key the last counts.

    Args:
        manifest: of the store that they are for.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._tables: list[pa.Table] = []
        self._taken = 0  # rows ever taken: numbers them
        self._last: dict[str, int] = {}  # the number of the row that counts, by key
        self.stamps: dict[str, Stamp] = {}

    def __len__(self) -> int:
        return len(self._last)

    def checked(self, batch: pa.Table) -> tuple[pa.Table, list[str]]:
        """The rows in the form of the store, and the keys of those whose vectors are no numbers.

        Raises:
            StoreError: these cannot be rows of this store.
        """
        table, finite = self._in_form(batch)
        bad = table[KEY].filter(pa.array(~finite)).to_pylist()
        return (table.filter(pa.array(finite)) if bad else table), bad

    def take(self, table: pa.Table) -> list[str]:
        """Take in what `checked` gave; returns the keys."""
        keys: list[str] = table[KEY].to_pylist()
        self._tables.append(table)
        self._last.update(zip(keys, range(self._taken, self._taken + len(keys)), strict=True))
        self._taken += len(keys)
        self.stamps.update(zip(keys, stamps_of(table), strict=True))
        return keys

    def drop(self, key: str) -> None:
        self._last.pop(key, None)
        self.stamps.pop(key, None)

    def table(self) -> pa.Table | None:
        """The rows that count, in the order in which they came."""
        if not self._last:
            return None
        whole = unify(self._tables, self._manifest)
        if len(whole) > len(self._last):
            whole = whole.take(pa.array(sorted(self._number_in_tables())))
        return whole

    def _number_in_tables(self) -> Iterator[int]:
        first = self._taken - sum(map(len, self._tables))
        return (number - first for number in self._last.values())

    def clear(self) -> None:
        self._tables.clear()
        self._last.clear()
        self.stamps.clear()

    def _in_form(self, batch: pa.Table) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
        """The batch in standard columns and the store's dtype; which of its rows are finite."""
        _check_keys(batch)
        others = plain(batch)
        table = conform(others, unified([others.schema]))
        finite = np.ones(len(batch), bool)
        anything = np.zeros(len(batch), bool)
        for modality in self._manifest.modalities:
            name = column_of(modality)
            if name not in batch.column_names:
                missing = np.ones(len(batch), bool)
                matrix = np.full((len(batch), self._manifest.dim), np.nan, self._manifest.dtype)
            else:
                missing = batch[name].is_null().to_numpy()
                matrix = self._converted(name, batch[name], missing)
                finite &= missing | np.isfinite(matrix).all(axis=1)
            anything |= ~missing
            # Not null: pyarrow up to 24 reads no null among lists of a fixed size.
            table = table.append_column(name, embedding_column(matrix))
        if not anything.all():
            key = batch[KEY][int(np.argmin(anything))]
            raise StoreError(f"the row {key.as_py()!r} has no vector at all")
        return table, finite

    def _converted(
        self, name: str, column: pa.ChunkedArray, missing: npt.NDArray[np.bool_]
    ) -> Matrix:
        matrix = matrix_of(column, self._manifest.dim)
        if matrix.dtype not in (np.float16, np.float32):
            raise StoreError(f"{name} is of {matrix.dtype}: float16 or float32 is wanted")
        if self._manifest.fingerprint.normalized:
            lengths = np.linalg.norm(matrix[~missing].astype(np.float32), axis=1)
            off = np.abs(lengths - 1) > _TOLERANCE  # never true of NaN
            if off.any():
                length = f"{lengths[off][0]:.3g}"
                raise StoreError(f"{name} has a vector of length {length} in a store of length 1")
        with np.errstate(over="ignore"):  # what becomes infinite is told as such
            return matrix.astype(self._manifest.dtype, copy=False)


def _check_keys(batch: pa.Table) -> None:
    if KEY not in batch.column_names:
        raise StoreError(f"rows need a column {KEY!r}, which names each of them")
    if batch[KEY].null_count or pc.any(pc.equal(pc.binary_length(batch[KEY]), 0)).as_py():
        raise StoreError("a row has no key")


def stamps_of(table: pa.Table) -> Iterable[Stamp]:
    columns = (table[name].to_pylist() for name in ("size", "mtime_ns", "sha256"))
    return map(Stamp, *columns)


def unify(tables: list[pa.Table], manifest: Manifest) -> pa.Table:
    """Tables of the same vectors and perhaps other metadata as one."""
    vectors = [column_of(modality) for modality in manifest.modalities]
    schema = unified(table.schema for table in tables)
    fields = [*schema, *(tables[0].schema.field(name) for name in vectors)]
    whole = pa.schema(fields)
    return pa.concat_tables(conform(table, whole) for table in tables)
