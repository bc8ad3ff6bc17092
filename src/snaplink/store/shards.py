"""A shard: a Parquet file, and its vectors once more as `.npy` files, which search maps."""

from __future__ import annotations

import json
import secrets
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snaplink.errors import StoreError
from snaplink.vectors import Matrix

from .files import remove, sha256_of, write_whole
from .manifest import Manifest, Shard, VectorFile
from .schema import column_of, matrix_of

__all__ = ["FOLDER", "ShardFiles", "new_name"]

FOLDER = "shards"
VECTORS = "vectors"  # apart, so that others read all that is in the folder of the shards
ROWS_PER_GROUP = 2048  # the fewest rows that a reader of one row decodes
_SAMPLED = 32


def new_name(ordinal: int) -> str:
    """A name that no file had before; names sort as their ordinals do."""
    return f"{ordinal:010}-{secrets.token_hex(4)}"


class ShardFiles:
    """The files of a store's shards.

    Args:
        store: the directory of the store.
        manifest: says what vectors there are; its list of shards is not looked at.
    """

    def __init__(self, store: Path, manifest: Manifest) -> None:
        self.folder = store / FOLDER
        self.vectors = store / VECTORS
        self._manifest = manifest

    def parquet(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"

    def npy(self, name: str, modality: str) -> Path:
        return self.vectors / f"{name}.{modality}.npy"

    def write(self, name: str, table: pa.Table) -> Shard:
        """Write a table of at least one row, with its columns of vectors, as a shard."""
        size, sha256 = write_whole(self.parquet(name), lambda file: self._write(file, table))
        vectors = {}
        for modality in self._manifest.modalities:
            matrix = matrix_of(table[column_of(modality)], self._manifest.dim)
            missing = int(np.isnan(matrix[:, 0]).sum())
            vectors[modality] = VectorFile(missing, _sample(matrix))
            if self._manifest.vectors:
                self.write_npy(name, modality, matrix)
        return Shard(name, len(table), size, sha256, vectors)

    def _write(self, file: BinaryIO, table: pa.Table) -> None:
        """Vectors as they are, since they do not compress; the rest compressed."""
        columns = [column_of(modality) for modality in self._manifest.modalities]
        others = [name for name in table.column_names if name not in columns]
        made_by = {
            "snaplink": json.dumps({"fingerprint": self._manifest.fingerprint.to_json()}),
        }
        table = table.replace_schema_metadata(made_by)
        with pq.ParquetWriter(
            pa.PythonFile(file, mode="w"),
            table.schema,
            compression=dict.fromkeys(others, "zstd"),
            use_dictionary=others,
            write_statistics=others,
        ) as writer:
            writer.write_table(table, row_group_size=ROWS_PER_GROUP)

    def write_npy(self, name: str, modality: str, matrix: Matrix) -> None:
        def write(file: BinaryIO) -> None:
            header = np.lib.format.header_data_from_array_1_0(matrix)
            np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(matrix).data.cast("B"))

        write_whole(self.npy(name, modality), write)

    def mapped(self, shard: Shard, modality: str) -> Matrix | None:
        """A shard's vectors, mapped; None where their file is missing, damaged or another's.

        Writable in memory, and not on disk: torch takes no arrays that are not writable.
        """
        path = self.npy(shard.name, modality)
        try:
            matrix: Any = np.load(path, mmap_mode="c", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        wanted = (shard.rows, self._manifest.dim)
        if matrix.shape != wanted or matrix.dtype != np.dtype(self._manifest.dtype):
            return None
        sound = matrix.flags.c_contiguous and _sample(matrix) == shard.vectors[modality].sample
        return matrix if sound else None

    def read(self, shard: Shard, columns: list[str] | None = None) -> pa.Table:
        """Columns of a shard, all by default; the file is closed again.

        Raises:
            StoreError: it is missing or damaged.
        """
        with self.open(shard) as file:  # Windows removes no file that is open
            return self.table(shard, file, columns)

    def open(self, shard: Shard) -> pq.ParquetFile:
        """Open a shard, whose file then stays readable even if a writer replaces it.

        Raises:
            StoreError: it is missing or damaged.
        """
        path = self.parquet(shard.name)
        try:
            file = pq.ParquetFile(path, memory_map=True)
        except FileNotFoundError:
            raise StoreError(
                f"{path} is missing: if the store has been written to since it was opened, open it "
                f"again; else {_remedy(path)}"
            ) from None
        except (OSError, pa.ArrowException) as error:
            raise _damaged(path, error) from None
        if file.metadata.num_rows != shard.rows:
            raise _damaged(path, f"{file.metadata.num_rows} rows, not {shard.rows}")
        return file

    def columns(self, shard: Shard) -> list[str]:
        """The names of a shard's columns."""
        with self.open(shard) as file:
            names: list[str] = file.schema_arrow.names
        return names

    def table(
        self,
        shard: Shard,
        file: pq.ParquetFile,
        columns: list[str] | None = None,
        groups: list[int] | None = None,
    ) -> pa.Table:
        """Columns and row groups of a shard that `open` opened; all of them by default."""
        try:
            if groups is not None:
                return file.read_row_groups(groups, columns=columns)
            return file.read(columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise _damaged(self.parquet(shard.name), error) from None

    def from_parquet(self, shard: Shard, file: pq.ParquetFile, modality: str) -> Matrix:
        """A shard's vectors, read into memory."""
        name = column_of(modality)
        matrix = matrix_of(self.table(shard, file, [name])[name], self._manifest.dim)
        if matrix.dtype != np.dtype(self._manifest.dtype):
            path = self.parquet(shard.name)
            raise _damaged(path, f"vectors of {matrix.dtype}, not {self._manifest.dtype}")
        return matrix

    def rebuild(self, shard: Shard) -> None:
        """Write what is missing or wrong of the `.npy` files of a shard."""
        for modality in self._manifest.modalities:
            if self.mapped(shard, modality) is None:
                with self.open(shard) as file:
                    matrix = self.from_parquet(shard, file, modality)
                with suppress(PermissionError):  # Windows: somebody maps the damaged one
                    self.write_npy(shard.name, modality, matrix)

    def remove(self, name: str) -> None:
        """Remove a shard's files as far as the system lets us: the next writer tries again."""
        self.drop_vectors(name)
        with suppress(PermissionError):  # Windows: somebody reads it
            remove(self.parquet(name))

    def drop_vectors(self, name: str) -> None:
        for modality in self._manifest.modalities:
            with suppress(PermissionError):  # Windows: somebody maps it
                remove(self.npy(name, modality))

    def damage(self, shard: Shard) -> str | None:
        """Read the whole Parquet file of a shard: what is wrong with it, if anything is."""
        path = self.parquet(shard.name)
        try:
            if sha256_of(path) != shard.sha256:
                return f"{path}: not the bytes that were written (SHA-256)"
            self.open(shard).close()
        except (OSError, StoreError) as error:
            return str(error)
        return None

    def wrong_vectors(self, shard: Shard) -> Iterator[str]:
        """What of the `.npy` files of a sound shard is not what the Parquet file says."""
        if not self._manifest.vectors:
            return
        for modality in self._manifest.modalities:
            mapped = self.mapped(shard, modality)
            with self.open(shard) as file:
                stored = self.from_parquet(shard, file, modality)
            if mapped is None or mapped.tobytes() != stored.tobytes():
                yield f"{self.npy(shard.name, modality)}: missing or damaged; can be made anew"


def _sample(matrix: Matrix) -> int:
    rows = np.linspace(0, len(matrix) - 1, min(_SAMPLED, len(matrix))).astype(np.int64)
    return zlib.crc32(np.ascontiguousarray(matrix[rows]).data.cast("B"))


def _damaged(path: Path, problem: object) -> StoreError:
    said = str(problem).splitlines()[0].rstrip(".")
    return StoreError(f"{path} is damaged ({said}): {_remedy(path)}")


def _remedy(path: Path) -> str:
    return (
        "restore it from a backup, or let its rows be embedded again: "
        f"snaplink verify {path.parent.parent} --repair"
    )
