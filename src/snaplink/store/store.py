"""A store, read: its rows as tables, its vectors as maps."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

from snaplink.errors import ArgumentError, StoreError
from snaplink.fingerprint import Fingerprint
from snaplink.vectors import Block, Matrix, Vectors

from .failures import read_failures
from .groups import RowGroups
from .manifest import Manifest
from .repair import faults
from .schema import KEY, column_of, conform, unified
from .shards import ShardFiles

if TYPE_CHECKING:
    from snaplink.encoder import Encoder
    from snaplink.search import Hit, Searcher
    from snaplink.search.query import Asked

__all__ = ["Store"]

_KEPT_OPEN = 256
"""Shards of which files stay open: a process may have about a thousand."""


_ATTEMPTS = 10


class Store:
    """The rows of a store as they were when it was opened, whatever a writer does meanwhile.

    Rows are numbered from 0, in the order of the shards: vectors and tables agree on that.

    Attributes:
        path: its directory.
        manifest: what it is and which shards it has.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self._files = ShardFiles(path, manifest)
        self._starts = [0, *accumulate(shard.rows for shard in manifest.shards)]
        self._parquet = lru_cache(_KEPT_OPEN)(self._files_open)
        if len(manifest.shards) <= _KEPT_OPEN:
            for number in range(len(manifest.shards)):
                self._parquet(number)
        self._group_starts = lru_cache(_KEPT_OPEN)(self._starts_of_groups)
        self._groups = RowGroups(self._read_group)
        self._mapped = lru_cache(_KEPT_OPEN)(self._map)
        self._in_memory = lru_cache(1)(self._from_parquet)  # a whole shard: no more than one

    @classmethod
    def open(cls, path: Path | str) -> Store:
        """Open a store: it reads the manifest and no row.

        Raises:
            StoreError: there is no store, or it cannot be used.
        """
        directory = Path(path)
        for _ in range(_ATTEMPTS):
            manifest = Manifest.read(directory)
            try:
                return cls(directory, manifest)
            except StoreError:
                # A writer may have replaced a shard since the manifest was read.
                if Manifest.read(directory).shards == manifest.shards:
                    raise
        raise StoreError(f"{directory} is being changed all the time: try again")

    @property
    def fingerprint(self) -> Fingerprint:
        """What made the vectors."""
        return self.manifest.fingerprint

    @property
    def dim(self) -> int:
        """The width of the vectors."""
        return self.manifest.dim

    @property
    def modalities(self) -> tuple[str, ...]:
        """Of "image" and "text", those that have vectors."""
        return self.manifest.modalities

    @property
    def snapshot(self) -> str:
        """Changes whenever rows change: what is derived from the rows may remember it."""
        return self.manifest.snapshot

    def __len__(self) -> int:
        return self.manifest.rows

    def check(self, fingerprint: Fingerprint, *, query: bool = False) -> None:
        """Make sure that vectors of another origin may stand beside these.

        Args:
            fingerprint: theirs.
            query: they are only compared with these, not stored: then precision, length, and
                what does not change the space that they live in may differ.

        Raises:
            StoreError: they may not; the message says what differs.
        """
        compare = self.fingerprint.strangeness if query else self.fingerprint.differences
        if differences := compare(fingerprint):
            made = "with another model" if query else "otherwise"
            raise StoreError(
                f"{self.path} was made {made}: {'; '.join(differences)}. Choose what made it, or "
                "embed anew into another store"
            )

    def vectors(self, modality: str = "image") -> Vectors:
        """The vectors of one modality, mapped where they can be.

        Raises:
            ArgumentError: the store has none of this modality.
        """
        if modality not in self.modalities:
            raise ArgumentError(
                f"{self.path} has no {modality} vectors, only {' and '.join(self.modalities)}"
            )
        blocks = [
            Block(
                shard.rows,
                lambda number=number: self._matrix(number, modality),  # type: ignore[misc]
                shard.vectors[modality].missing,
            )
            for number, shard in enumerate(self.manifest.shards)
        ]
        return Vectors(blocks, self.dim, self.manifest.dtype)

    def to_numpy(self, modality: str = "image") -> Matrix:
        """All vectors of one modality in memory, ``[rows, dim]``; NaN where a row has none."""
        return self.vectors(modality).to_numpy()

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of all shards, without those of the vectors."""
        numbers = range(len(self.manifest.shards))
        return unified(self._parquet(number).schema_arrow for number in numbers)

    @property
    def _whole_schema(self) -> pa.Schema:
        value = pa.from_numpy_dtype(self.manifest.dtype)
        columns = [(column_of(name), pa.list_(value, self.dim)) for name in self.modalities]
        return pa.schema([*self.schema, *columns])

    def dataset(self) -> pyarrow.dataset.Dataset:
        """The rows as pyarrow sees them, vectors included: to filter, scan, hand to others."""
        paths = [str(self._files.parquet(shard.name)) for shard in self.manifest.shards]
        return pyarrow.dataset.dataset(paths, schema=self._whole_schema, format="parquet")

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows in memory.

        Args:
            columns: which; by default all but the vectors.

        Raises:
            ArgumentError: there is no such column.
        """
        schema = self._chosen(columns)
        parts = [
            conform(self._read(number, schema.names), schema)
            for number in range(len(self.manifest.shards))
        ]
        return pa.concat_tables([schema.empty_table(), *parts])

    def take(
        self,
        positions: Sequence[int] | npt.NDArray[np.integer[Any]],
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """The rows at these positions, in their order; reads only what is around them.

        Args:
            positions: numbers of rows, as `vectors` counts them.
            columns: which; by default all but the vectors.

        Raises:
            ArgumentError: there is no such column.
            IndexError: there is no such row.
        """
        schema = self._chosen(columns)
        wanted = np.asarray(positions, np.int64)
        outside = (wanted < 0) | (wanted >= len(self))
        if outside.any():
            raise IndexError(f"row {wanted[outside][0]} of {len(self)}")
        order = np.argsort(wanted, kind="stable")
        numbers = np.searchsorted(self._starts, wanted[order], side="right") - 1
        parts = [schema.empty_table()]
        for number in np.unique(numbers):
            rows = wanted[order][numbers == number] - self._starts[number]
            parts.append(self._rows(int(number), rows, schema))
        return pa.concat_tables(parts).take(pa.array(np.argsort(order)))

    def failures(self) -> dict[str, str]:
        """Why keys that have no row have none."""
        return read_failures(self.path)

    def verify(self) -> list[str]:
        """Read everything and compare with the checksums.

        Returns:
            What is wrong, a line each; [] when all is well.
        """
        return faults(self.path, self.manifest)

    def search(
        self,
        query: Asked,
        *,
        top: int = 10,
        threshold: float | None = None,
        where: str | None = None,
        modality: str | None = None,
        dedupe: float | None = None,
        encoder: Encoder | None = None,
    ) -> list[Hit]:
        """The rows that fit best: see `snaplink.search.Searcher.search`.

        The model that the store names is loaded when words or pictures are first asked for, and
        kept, unless an encoder of that model is given. An index that was built for another state
        of the store is not used, with a warning.

        Raises:
            ArgumentError: something asked for cannot be.
            StoreError: the model is not the one that made the vectors.
            PictureError: a picture to search for cannot be used.
        """
        searcher = self._searcher if encoder is None else self._new_searcher(encoder)
        return searcher.search(
            query, top=top, threshold=threshold, where=where, modality=modality, dedupe=dedupe
        )

    @cached_property
    def _searcher(self) -> Searcher:
        return self._new_searcher()

    def _new_searcher(self, encoder: Encoder | None = None) -> Searcher:
        from snaplink.search import Searcher

        return Searcher(self, encoder, on_note=lambda note: warnings.warn(note, stacklevel=4))

    def _files_open(self, number: int) -> pq.ParquetFile:
        return self._files.open(self.manifest.shards[number])

    def _map(self, number: int, modality: str) -> Matrix | None:
        return self._files.mapped(self.manifest.shards[number], modality)

    def _matrix(self, number: int, modality: str) -> Matrix:
        mapped = self._mapped(number, modality)
        return mapped if mapped is not None else self._in_memory(number, modality)

    def _from_parquet(self, number: int, modality: str) -> Matrix:
        shard = self.manifest.shards[number]
        return self._files.from_parquet(shard, self._parquet(number), modality)

    def _chosen(self, columns: Sequence[str] | None) -> pa.Schema:
        if columns is None:
            return self.schema
        whole = self._whole_schema
        unknown = [name for name in columns if name not in whole.names]
        if unknown:
            raise ArgumentError(
                f"{self.path} has no column {unknown[0]!r}; it has {', '.join(whole.names)}"
            )
        return pa.schema([whole.field(name) for name in columns])

    def _read(self, number: int, columns: Sequence[str]) -> pa.Table:
        file = self._parquet(number)
        return self._files.table(self.manifest.shards[number], file, _there(file, columns))

    def _rows(self, number: int, rows: npt.NDArray[np.int64], schema: pa.Schema) -> pa.Table:
        """Rows of one shard, ascending, by reading the row groups that they lie in."""
        columns = _there(self._parquet(number), schema.names)
        starts = self._group_starts(number)
        group_of = np.searchsorted(starts, rows, side="right") - 1
        parts = [
            self._groups.get(number, int(group), columns).take(
                pa.array(rows[group_of == group] - starts[group])
            )
            for group in np.unique(group_of)
        ]
        return conform(pa.concat_tables(parts), schema)

    def _starts_of_groups(self, number: int) -> npt.NDArray[np.int64]:
        metadata = self._parquet(number).metadata
        counts = (metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
        return np.cumsum([0, *counts])

    def _read_group(self, number: int, group: int, columns: list[str]) -> pa.Table:
        file = self._parquet(number)
        return self._files.table(self.manifest.shards[number], file, columns, [group])


def _there(file: pq.ParquetFile, columns: Sequence[str]) -> list[str]:
    """Those of the columns that a shard has, and the keys: a table of no column has no rows."""
    return [name for name in file.schema_arrow.names if name == KEY or name in columns]
