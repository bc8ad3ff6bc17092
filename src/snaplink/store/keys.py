"""Which keys a store has, in some 41 bytes a key: where each one's row is, its file's stamp."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["KeyIndex", "Located", "Stamp"]

_NONE = np.iinfo(np.int64).min
_RECENT = 100_000  # that many changes wait in a dictionary before they are sorted in: more in
_SHARE = 32  # a large store, where sorting takes longer: one for so many keys


class Stamp(NamedTuple):
    """What tells a changed file: None where it is not known.

    Attributes:
        size: in bytes.
        mtime_ns: when it was last changed, in nanoseconds.
        sha256: of its content.
    """

    size: int | None = None
    mtime_ns: int | None = None
    sha256: str | None = None


class Located(NamedTuple):
    """Where the row of a key is: the ordinal of the shard that it was written into."""

    ordinal: int
    stamp: Stamp


@dataclass(frozen=True)
class _Columns:
    """Rows of an index: a hash in two halves, where the row is, and the stamp."""

    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    ordinal: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    mtime_ns: npt.NDArray[np.int64]
    sha256: npt.NDArray[np.bytes_]

    def __len__(self) -> int:
        return len(self.high)

    def at(self, rows: npt.NDArray[Any]) -> _Columns:
        return _Columns(*(getattr(self, field.name)[rows] for field in fields(self)))

    def located(self, row: int) -> Located:
        sha256 = self.sha256[row].decode() or None
        stamp = Stamp(_optional(self.size[row]), _optional(self.mtime_ns[row]), sha256)
        return Located(int(self.ordinal[row]), stamp)


class KeyIndex:
    """Keys to `Located`, by 128-bit hashes: two of 10^12 keys share one once in 10^15 stores.

    Args:
        shards: of each its ordinal, and its columns ``key``, ``size``, ``mtime_ns``, ``sha256``.
    """

    def __init__(self, shards: Iterable[tuple[int, pa.Table]] = ()) -> None:
        self._recent: dict[bytes, Located | None] = {}  # None: taken away
        parts = [_of_table(ordinal, table) for ordinal, table in shards]
        self._sorted = _sorted_by_hash([_of_located([], []), *parts])
        self._count = len(self._sorted)

    def __len__(self) -> int:
        return self._count

    def add(self, keys: Iterable[str], located: Iterable[Located]) -> None:
        """Add keys, or replace what is known of them."""
        for key, place in zip(keys, located, strict=True):
            self._set(_hash(key.encode()), place)
        if len(self._recent) >= max(_RECENT, len(self._sorted) // _SHARE):
            self._sort_in()

    def remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._set(_hash(key.encode()), None)

    def find(self, key: str) -> Located | None:
        return self._find(_hash(key.encode()))

    def _set(self, digest: bytes, place: Located | None) -> None:
        self._count += (place is not None) - (self._find(digest) is not None)
        self._recent[digest] = place

    def _find(self, digest: bytes) -> Located | None:
        if digest in self._recent:
            return self._recent[digest]
        row = self._row(digest)
        return None if row is None else self._sorted.located(row)

    def _row(self, digest: bytes) -> int | None:
        high, low = np.frombuffer(digest, np.uint64)
        row = int(np.searchsorted(self._sorted.high, high))
        while row < len(self._sorted) and self._sorted.high[row] == high:
            if self._sorted.low[row] == low:
                return row
            row += 1
        return None

    def _sort_in(self) -> None:
        """Move what is recent into the columns."""
        kept = np.ones(len(self._sorted), bool)
        changed = [self._row(digest) for digest in self._recent]
        kept[[row for row in changed if row is not None]] = False
        there = [(digest, place) for digest, place in self._recent.items() if place is not None]
        recent = _of_located([digest for digest, _ in there], [place for _, place in there])
        self._sorted = _sorted_by_hash([self._sorted.at(kept), recent])
        self._recent.clear()


def _hash(key: bytes | memoryview) -> bytes:
    return hashlib.blake2b(key, digest_size=16).digest()


def _sorted_by_hash(parts: list[_Columns]) -> _Columns:
    names = [field.name for field in fields(_Columns)]
    whole = _Columns(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    return whole.at(np.argsort(whole.high, kind="stable"))


def _of_table(ordinal: int, table: pa.Table) -> _Columns:
    """Without a Python object for each value, since there may be many millions."""
    chunks = table["key"].cast(pa.string()).chunks
    keys = pa.concat_arrays([*chunks, pa.array([], pa.string())])
    ends = np.frombuffer(keys.buffers()[1], np.int32)[keys.offset :][: len(keys) + 1].tolist()
    text = memoryview(keys.buffers()[2] or b"")
    digests = [_hash(text[start:end]) for start, end in pairwise(ends)]
    high, low = _halves(digests)
    size, mtime_ns = (table[name].fill_null(int(_NONE)).to_numpy() for name in ("size", "mtime_ns"))
    if table["sha256"].null_count == len(table):
        sha256 = np.zeros(len(table), "S1")
    else:
        sha256 = np.array(table["sha256"].fill_null("").to_pylist(), "S")
    return _Columns(high, low, np.full(len(table), ordinal), size, mtime_ns, sha256)


def _of_located(digests: list[bytes], places: list[Located]) -> _Columns:
    stamps = [place.stamp for place in places]
    return _Columns(
        *_halves(digests),
        np.array([place.ordinal for place in places], np.int64),
        np.array([_NONE if stamp.size is None else stamp.size for stamp in stamps], np.int64),
        np.array(
            [_NONE if stamp.mtime_ns is None else stamp.mtime_ns for stamp in stamps], np.int64
        ),
        np.array([stamp.sha256 or "" for stamp in stamps], "S"),
    )


def _halves(digests: list[bytes]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    both = np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 2)
    return both[:, 0].copy(), both[:, 1].copy()


def _optional(number: Any) -> int | None:
    return None if number == _NONE else int(number)
