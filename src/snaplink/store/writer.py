"""The one writer of a store: every change takes place at once, or not at all."""

from __future__ import annotations

import secrets
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from itertools import count
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snaplink.errors import StoreError
from snaplink.fingerprint import Fingerprint

from .compaction import merges
from .failures import read_failures, write_failures
from .files import sync_directory
from .incoming import NOT_FINITE, Incoming, stamps_of, unify
from .keys import KeyIndex, Located, Stamp
from .lock import WriterLock
from .manifest import DTYPES, MODALITIES, Manifest, Shard
from .opening import agreed, make_room, tidy
from .schema import KEY, Spelling
from .shards import ShardFiles, new_name

__all__ = ["Known", "Stamp", "Writer"]

SHARD_BYTES = 64 << 20  # of vectors
_PAUSE = 0.5  # seconds between two commits, at least
_SHARE = 20  # and so many times what a commit takes: 5 % of the time goes into committing


class Writer:
    """Writes to a store, alone; makes the store if there is none.

    Rows are committed some at a time: about twice a second, less often where that takes long, and
    by `flush` and `close`. What is committed survives whatever happens; what a crash interrupts
    leaves no trace. A context manager: leaving it, by an error too, commits what is complete.

    Args:
        path: a directory: a store, empty, or not there yet.
        fingerprint: of the vectors that are to be written.
        dim: their width.
        dtype: theirs in the store, "float16" or "float32".
        modalities: of "image" and "text".
        vectors: keep `.npy` files beside the shards, for search to map.
        rows_per_shard: how many rows a shard may have; by default those of 64 MiB of vectors.

    Raises:
        StoreError: the store is of another kind, damaged, or another process writes to it.
    """

    def __init__(
        self,
        path: Path | str,
        fingerprint: Fingerprint,
        *,
        dim: int,
        dtype: str = "float16",
        modalities: Sequence[str] = ("image",),
        vectors: bool = True,
        rows_per_shard: int | None = None,
    ) -> None:
        self.path = Path(path)
        wanted = Manifest(
            fingerprint, dim, dtype, _ordered(modalities), vectors, secrets.token_hex(8)
        )
        if dtype not in DTYPES:
            raise StoreError(f"a store holds {' or '.join(DTYPES)}, not {dtype}")
        make_room(self.path)
        self._lock = WriterLock(self.path)
        try:
            self.manifest = agreed(self.path, wanted)
            self._files = ShardFiles(self.path, self.manifest)
            tidy(self._files, self.manifest)
            self._failures = read_failures(self.path)
        except BaseException:
            self._lock.release()
            raise
        self._rows_per_shard = rows_per_shard or _rows_of(SHARD_BYTES, self.manifest)
        self._incoming = Incoming(self.manifest)
        self._replaced: set[str] = set()  # keys whose committed rows go with the next commit
        self._failures_changed = False
        self._broken = False
        # Never given twice while we know by them where rows are: see `_without_replaced`.
        self._ordinals = count(
            max((shard.ordinal for shard in self.manifest.shards), default=-1) + 1
        )
        self._index: KeyIndex | None = None
        self._due = 0.0

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """How many rows the store has, with those that wait to be committed."""
        return self.manifest.rows - len(self._replaced) + len(self._incoming)

    def known(self) -> Known:
        """Which keys have rows, and the stamps of their files: changes as the store does."""
        return Known(self)

    def failures(self) -> Mapping[str, str]:
        """The reasons of failure by key, with what waits to be committed."""
        return dict(self._failures)

    def append(self, batch: pa.Table | pa.RecordBatch) -> None:
        """Add rows; a row whose key the store has takes the place of that one.

        Args:
            batch: with a column ``key``; ``image_embedding`` and ``text_embedding`` as the
                store's modalities are, lists of `dim` float16 or float32 (null for none); any of
                ``source``, ``width``, ``height``, ``size``, ``mtime_ns``, ``sha256``,
                ``caption``; and whatever else is known of the pictures. Upper and lower case are
                one in their names. Rows whose vectors are not finite are noted as failures
                instead.

        Raises:
            StoreError: these cannot be rows of this store, or writing failed.
        """
        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        rows, bad = self._incoming.checked(self._spelling.of(table))
        with self._unless_broken():
            for key in self._incoming.take(rows):
                self._replace(key)
                self._failures_changed |= self._failures.pop(key, None) is not None
        for key in bad:
            self.fail(key, NOT_FINITE)
        if len(self._incoming) >= self._rows_per_shard or time.monotonic() >= self._due:
            self.flush()

    def fail(self, key: str, reason: str) -> None:
        """Note that a key could not be embedded; if it has a row, that goes."""
        with self._unless_broken():
            self._incoming.drop(key)
            self._replace(key)
            self._failures_changed |= self._failures.get(key) != reason
            self._failures[key] = reason

    def delete(self, keys: Iterable[str]) -> None:
        """Take away the rows of keys, and what is noted of failures; others are passed over."""
        with self._unless_broken():
            for key in keys:
                self._incoming.drop(key)
                self._replace(key)
                self._failures_changed |= self._failures.pop(key, None) is not None

    def flush(self) -> None:
        """Commit what waits.

        Raises:
            StoreError: it cannot be written; what was committed before is safe.
        """
        began = time.monotonic()
        try:
            with self._unless_broken():
                self._commit()
        except OSError as error:
            problem = f"{error.filename or self.path}: {error.strerror or error}"
            raise StoreError(
                f"{problem}: {self.manifest.rows:,} rows of {self.path} are safe; the same "
                "command goes on from there"
            ) from error
        ended = time.monotonic()
        self._due = ended + max(_PAUSE, _SHARE * (ended - began))

    def close(self) -> None:
        """Commit what waits, and let others write. Harmless when closed."""
        if self._lock.held:
            try:
                if not self._broken:
                    self.flush()
            finally:
                self._lock.release()

    @contextmanager
    def _unless_broken(self) -> Iterator[None]:
        """What an error or an interrupt stops half-way is never committed."""
        if self._broken:
            raise StoreError(f"writing to {self.path} has failed: open it again")
        self._broken = True
        yield
        self._broken = False

    def _replace(self, key: str) -> None:
        if self._keys.find(key) is not None:
            self._replaced.add(key)

    @property
    def _keys(self) -> KeyIndex:
        """Read when first asked for."""
        if self._index is None:
            self._index = KeyIndex(
                (shard.ordinal, self._files.read(shard, [KEY, "size", "mtime_ns", "sha256"]))
                for shard in self.manifest.shards
            )
        return self._index

    @cached_property
    def _spelling(self) -> Spelling:
        """Of the columns: read when rows first come."""
        return Spelling(
            name for shard in self.manifest.shards for name in self._files.columns(shard)
        )

    def _commit(self) -> None:
        """New files first, then the manifest that lists them, then away with the old ones."""
        table = self._incoming.table()
        old = self.manifest.shards
        shards = self._without_replaced(old)
        new = self._written(table) if table is not None else []
        # A crash between leaves a key in neither list, to be embedded again, and never in both.
        failed_anew = self._replaced & self._failures.keys()
        if self._failures_changed:
            others = {k: why for k, why in self._failures.items() if k not in failed_anew}
            write_failures(self.path, others)
        if new or shards != old:
            self._publish([*shards, *(shard for shard, _ in new)], secrets.token_hex(8))
            self._keys.remove(self._replaced)
            for shard, rows in new:
                located = (Located(shard.ordinal, stamp) for stamp in stamps_of(rows))
                self._keys.add(rows[KEY].to_pylist(), located)
        if failed_anew:
            write_failures(self.path, self._failures)
        self._failures_changed = False
        self._incoming.clear()
        self._replaced.clear()
        self._compact()

    def _publish(self, shards: Sequence[Shard], snapshot: str) -> None:
        sync_directory(self._files.folder)
        before = self.manifest.shards
        manifest = replace(self.manifest, shards=tuple(shards), snapshot=snapshot)
        manifest.write(self.path)
        self.manifest = manifest
        for shard in set(map(_name, before)) - set(map(_name, shards)):
            self._files.remove(shard)

    def _written(self, table: pa.Table) -> list[tuple[Shard, pa.Table]]:
        """The table as new shards, each with its rows."""
        parts = [
            table.slice(start, self._rows_per_shard)
            for start in range(0, len(table), self._rows_per_shard)
        ]
        return [(self._files.write(new_name(next(self._ordinals)), part), part) for part in parts]

    def _without_replaced(self, shards: Sequence[Shard]) -> Sequence[Shard]:
        """Shards that hold none of the replaced keys' rows: the others are written anew."""
        if not self._replaced:
            return shards
        ordinals = [shard.ordinal for shard in shards]
        found = (self._keys.find(key) for key in self._replaced)
        # What was merged since bears the ordinal of its first part.
        touched = {bisect_right(ordinals, at.ordinal) - 1 for at in found if at is not None}
        gone = pa.array(sorted(self._replaced), pa.string())
        kept = []
        for number, shard in enumerate(shards):
            if number in touched:
                table = self._files.read(shard)
                table = table.filter(pc.invert(pc.is_in(table[KEY], value_set=gone)))
                if len(table):
                    kept.append(self._files.write(new_name(shard.ordinal), table))
            else:
                kept.append(shard)
        return kept

    def _compact(self) -> None:
        """Make one of several small shards, the rows in their order: no change of the rows."""
        shards = self.manifest.shards
        groups = merges([shard.rows for shard in shards], self._rows_per_shard)
        if not groups:
            return
        compacted = list(shards)
        for group in reversed(groups):
            parts = shards[group.start : group.stop]
            table = unify([self._files.read(part) for part in parts], self.manifest)
            merged = self._files.write(new_name(parts[0].ordinal), table)
            compacted[group.start : group.stop] = [merged]
        self._publish(compacted, self.manifest.snapshot)


class Known(Mapping[str, Stamp]):
    """The keys of a store while it is written to, with the stamps of their files.

    To look one up is cheap; to iterate reads the keys of all shards.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def __getitem__(self, key: str) -> Stamp:
        writer = self._writer
        pending = writer._incoming.stamps.get(key)
        if pending is not None:
            return pending
        located = None if key in writer._replaced else writer._keys.find(key)
        if located is None:
            raise KeyError(key)
        return located.stamp

    def __len__(self) -> int:
        return len(self._writer)

    def __iter__(self) -> Iterator[str]:
        writer = self._writer
        for shard in writer.manifest.shards:
            keys = writer._files.read(shard, [KEY])[KEY].to_pylist()
            yield from (key for key in keys if key not in writer._replaced)
        yield from list(writer._incoming.stamps)


def _name(shard: Shard) -> str:
    return shard.name


def _rows_of(size: int, manifest: Manifest) -> int:
    row = manifest.dim * np.dtype(manifest.dtype).itemsize * len(manifest.modalities)
    return max(size // row, 1024)


def _ordered(modalities: Sequence[str]) -> tuple[str, ...]:
    unknown = set(modalities) - set(MODALITIES)
    if unknown or not modalities:
        raise StoreError(f"modalities are {' and '.join(MODALITIES)}, not {', '.join(modalities)}")
    return tuple(name for name in MODALITIES if name in modalities)
