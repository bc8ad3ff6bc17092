"""Which keys a store has, in 41 bytes a key: where each one's row is, and the file's stamp."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["KeyIndex", "Located", "Stamp"]

_NONE = np.iinfo(np.int64).min
_RECENT = 1_000_000  # that many additions wait in a dictionary before they are sorted in
_FIELDS = (("ordinal", np.int64), ("size", np.int64), ("mtime_ns", np.int64))


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


class KeyIndex:
    """Keys to `Located`, by 128-bit hashes of the keys.

    Two of 10^12 keys share a hash with a probability of 10^-15.
    """

    def __init__(self) -> None:
        self._recent: dict[bytes, Located | None] = {}  # None: taken away
        self._hashes: npt.NDArray[np.uint64] = np.empty((0, 2), np.uint64)  # sorted by [:, 0]
        self._values = {name: np.empty(0, kind) for name, kind in _FIELDS}
        self._sha256: npt.NDArray[np.bytes_] = np.empty(0, "S1")
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, keys: Iterable[str], located: Iterable[Located]) -> None:
        """Add keys, or replace what is known of them."""
        for key, place in zip(keys, located, strict=True):
            self._set(_hash(key), place)
        if len(self._recent) >= _RECENT:
            self._sort_in()

    def remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._set(_hash(key), None)

    def find(self, key: str) -> Located | None:
        return self._find(_hash(key))

    def _set(self, digest: bytes, place: Located | None) -> None:
        self._count += (place is not None) - (self._find(digest) is not None)
        self._recent[digest] = place

    def _find(self, digest: bytes) -> Located | None:
        if digest in self._recent:
            return self._recent[digest]
        row = self._row(digest)
        return None if row is None else self._located(row)

    def _row(self, digest: bytes) -> int | None:
        high, low = np.frombuffer(digest, np.uint64)
        row = int(np.searchsorted(self._hashes[:, 0], high))
        while row < len(self._hashes) and self._hashes[row, 0] == high:
            if self._hashes[row, 1] == low:
                return row
            row += 1
        return None

    def _located(self, row: int) -> Located:
        ordinal, size, mtime_ns = (self._values[name][row] for name, _ in _FIELDS)
        sha256 = self._sha256[row].decode() or None
        return Located(int(ordinal), Stamp(_optional(size), _optional(mtime_ns), sha256))

    def _sort_in(self) -> None:
        """Move what is recent into the arrays."""
        digests = b"".join(self._recent)
        recent = np.frombuffer(digests, np.uint64).reshape(-1, 2)
        kept = np.ones(len(self._hashes), bool)
        if len(self._hashes):
            replaced = (self._row(digest) for digest in self._recent)
            kept[[row for row in replaced if row is not None]] = False
        places = list(self._recent.values())
        there = np.array([place is not None for place in places], bool)
        present = [place for place in places if place is not None]
        hashes = np.concatenate([self._hashes[kept], recent[there]])
        order = np.argsort(hashes[:, 0], kind="stable")
        columns = zip(*map(_numbers, present), strict=True) if present else [[], [], []]
        for (name, kind), column in zip(_FIELDS, columns, strict=True):
            new = np.array(column, kind)
            self._values[name] = np.concatenate([self._values[name][kept], new])[order]
        sha256 = np.array([(place.stamp.sha256 or "").encode() for place in present], "S")
        self._sha256 = np.concatenate([self._sha256[kept], sha256])[order]
        self._hashes = hashes[order]
        self._recent.clear()


def _hash(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=16).digest()


def _numbers(place: Located) -> tuple[int, int, int]:
    stamp = place.stamp
    size, mtime_ns = (_NONE if n is None else n for n in (stamp.size, stamp.mtime_ns))
    return place.ordinal, size, mtime_ns


def _optional(number: Any) -> int | None:
    return None if number == _NONE else int(number)
