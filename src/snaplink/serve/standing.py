"""A store as it stands: one state of it, with all that is derived from that state and kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from snaplink.errors import ArgumentError
from snaplink.fingerprint import Fingerprint
from snaplink.search import Ranked, Searcher, rows_where
from snaplink.search.exact import Mask, Positions
from snaplink.store import Store
from snaplink.vectors import Matrix, Vectors

from .errors import ApiError
from .kept import Kept

__all__ = ["Page", "Standing", "Wish"]

_SMALL = 64 << 20
"""Bytes of rows without their vectors, compressed, up to which they are kept in memory."""

_DEPTHS = (250, 1000, 4000, 16_000, 64_000, 256_000)
"""How many of the best are ranked at once: those of several pages. Nobody reads further."""

_DISTINCT = 4000
"""How many are ranked where near-duplicates are left out: each is compared with all before."""

_ROOM = 32 << 20
"""Bytes of masks, and of rankings, that are kept."""

_SECONDS_OF_WHERE = 5.0


@dataclass(frozen=True)
class Wish:
    """Which rows are wanted.

    Attributes:
        top, offset: how many, after how many others.
        where: an SQL expression that must hold.
        threshold: the least cosine.
        modality: whose vectors are compared; None for the store's first.
        dedupe: the cosine from which two rows count as the same; None keeps all.
    """

    top: int
    offset: int = 0
    where: str | None = None
    threshold: float | None = None
    modality: str | None = None
    dedupe: float | None = None


@dataclass(frozen=True)
class Page:
    """Some rows that were found.

    Attributes:
        positions: theirs.
        scores: theirs; None where nothing was compared.
        rows: their columns.
        total: how many rows may be found.
        more: whether others follow.
    """

    positions: list[int]
    scores: list[float] | None
    rows: list[dict[str, Any]]
    total: int
    more: bool


class Standing:
    """One state of a store, for searches from several threads. It is itself `Searchable`.

    Args:
        store: opened just now.
        on_note: see `Searcher`.
    """

    def __init__(self, store: Store, on_note: Callable[[str], object] = lambda note: None) -> None:
        self._store = store
        self.path = store.path
        self._reading = threading.Lock()  # pyarrow's files are not for two threads at once
        self._ranking = threading.Lock()  # pages of one query, asked for at once, are ranked once
        self._held = store.table().combine_chunks() if _is_small(store) else None
        self._searcher = Searcher(self, on_note=on_note)
        self._masks: Kept[Mask] = Kept(_ROOM, lambda mask: mask.nbytes)
        self._rankings: Kept[_Ranking] = Kept(_ROOM, lambda ranking: ranking.nbytes)

    @property
    def fingerprint(self) -> Fingerprint:
        return self._store.fingerprint

    @property
    def snapshot(self) -> str:
        return self._store.snapshot

    @property
    def dim(self) -> int:
        return self._store.dim

    @property
    def modalities(self) -> tuple[str, ...]:
        return self._store.modalities

    @property
    def schema(self) -> pa.Schema:
        return self._store.schema

    def __len__(self) -> int:
        return len(self._store)

    def check(self, fingerprint: Fingerprint, *, query: bool = False) -> None:
        self._store.check(fingerprint, query=query)

    def vectors(self, modality: str = "image") -> Vectors:
        return self._store.vectors(modality)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows, from memory if they are there."""
        if self._held is not None:
            return self._held if columns is None else self._held.select(list(columns))
        with self._reading:
            return self._store.table(columns)

    def take(
        self, positions: Sequence[int] | Positions, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """The rows at these positions, from memory if they are there."""
        if self._held is not None:
            return self.table(columns).take(pa.array(np.asarray(positions, np.int64)))
        with self._reading:
            return self._store.take(positions, columns)

    def row(self, position: int) -> dict[str, Any]:
        """All columns of a row but its vectors."""
        [row] = self.take([position]).to_pylist()
        return dict(row)

    @cached_property
    def indexed(self) -> bool:
        """Is there an index that serves the first modality?"""
        with self._ranking:
            return self._searcher.index(self.modalities[0]) is not None

    def modality(self, wished: str | None) -> str:
        """Whose vectors are compared: those that are wished for, or else the store's first.

        Raises:
            ApiError: the store has none of these.
        """
        if wished is not None and wished not in self.modalities:
            has = " and ".join(self.modalities)
            raise ApiError(400, f"the store has no {wished} vectors, only {has}", "modality")
        return wished or self.modalities[0]

    def vector(self, position: int, modality: str | None) -> Matrix:
        """The vector ``[dim]`` of a row, of length 1.

        Raises:
            ApiError: the row has none.
        """
        kind = self.modality(modality)
        [vector] = self.vectors(kind).take([position])
        length = np.linalg.norm(vector)
        if not np.isfinite(length) or length == 0:
            raise ApiError(400, f"this row has no {kind} vector to search with", "query")
        return np.asarray(vector / length)

    def browse(self, wish: Wish) -> Page:
        """Rows in the order of the store."""
        end = wish.offset + wish.top
        if wish.where is None:
            total = len(self)
            positions = list(range(min(wish.offset, total), min(end, total)))
        else:
            found = np.flatnonzero(self._allowed(wish.where))
            total, positions = len(found), found[wish.offset : end].tolist()
        return Page(positions, None, self._rows(positions), total, end < total)

    def ranked(self, vector: Matrix, wish: Wish) -> Page:
        """Rows by their cosine with a unit vector ``[dim]``, the best first."""
        modality = self.modality(wish.modality)
        allowed = None if wish.where is None else self._allowed(wish.where)
        found = self._ranking_of(vector, wish, modality, allowed)
        good = len(found)
        if wish.threshold is not None:
            good = int((found.scores >= wish.threshold).sum())
        end = min(wish.offset + wish.top, good)
        positions = found.positions[wish.offset : end].tolist()
        scores = np.clip(found.scores[wish.offset : end], -1, 1).tolist()
        total = self._total(modality, allowed)
        return Page(positions, scores, self._rows(positions), total, wish.offset + wish.top < good)

    def _ranking_of(
        self, vector: Matrix, wish: Wish, modality: str, allowed: Mask | None
    ) -> Ranked:
        """As many of the best as the page and one more need, or some more."""
        key = (vector.tobytes(), modality, wish.where, wish.dedupe)
        deepest = _DEPTHS[-1] if wish.dedupe is None else _DISTINCT
        depth = min(_depth(wish.offset + wish.top + 1), deepest)
        with self._ranking:
            kept = self._rankings.get(key)
            if kept and kept.depth >= depth:
                return kept.found
            found = self._searcher.rank(
                vector, depth, allowed=allowed, modality=modality, dedupe=wish.dedupe
            )
            found = _prolonged(kept.found, found) if kept else found
            return self._rankings.put(key, _Ranking(depth, found)).found

    def _rows(self, positions: list[int]) -> list[dict[str, Any]]:
        return self.take(positions).to_pylist() if positions else []

    def _allowed(self, where: str) -> Mask:
        mask = self._masks.get(where)
        if mask is not None:
            return mask
        try:
            return self._masks.put(where, rows_where(self, where, seconds=_SECONDS_OF_WHERE))
        except ArgumentError as error:
            raise ApiError(400, str(error), "where", "wrong_condition") from None

    def _total(self, modality: str, allowed: Mask | None) -> int:
        vectors = self.vectors(modality)
        if allowed is None:
            return len(self) - vectors.missing
        if not vectors.missing:
            return int(np.count_nonzero(allowed))
        return int(np.count_nonzero(allowed & self._present(modality)))

    def _present(self, modality: str) -> Mask:
        """The rows that have a vector."""
        mask = self._masks.get((modality,))
        if mask is not None:
            return mask
        mask = np.empty(len(self), bool)
        for start, block in self.vectors(modality).blocks():
            mask[start : start + len(block)] = np.isfinite(block[:, 0])
        return self._masks.put((modality,), mask)


def _is_small(store: Store) -> bool:
    width = np.dtype(store.manifest.dtype).itemsize * store.dim * len(store.modalities)
    return sum(shard.size for shard in store.manifest.shards) - width * len(store) < _SMALL


@dataclass(frozen=True)
class _Ranking:
    """The best rows, and how many were asked for."""

    depth: int
    found: Ranked

    @property
    def nbytes(self) -> int:
        return int(self.found.positions.nbytes + self.found.scores.nbytes)


def _depth(needed: int) -> int:
    return next((depth for depth in _DEPTHS if depth >= needed), _DEPTHS[-1])


def _prolonged(kept: Ranked, found: Ranked) -> Ranked:
    """A ranking that begins with what was shown: asked for more, an index may answer otherwise."""
    new = ~np.isin(found.positions, kept.positions)
    return Ranked(
        np.concatenate([kept.positions, found.positions[new]]),
        np.concatenate([kept.scores, found.scores[new]]),
    )
