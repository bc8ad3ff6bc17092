"""Search over a store, from what is asked for to its hits."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from clip.errors import ClipError
from snaplink.encoder import Encoder, load_encoder
from snaplink.errors import ArgumentError, SnaplinkError, StoreError
from snaplink.fingerprint import fingerprint
from snaplink.vectors import Matrix, Vectors

from .exact import Mask, Positions, Ranked, nearest, rescored
from .index import Neighbours, open_index
from .query import Asked, direction
from .searchable import Searchable
from .where import rows_where

__all__ = ["NEAR_DUPLICATE", "Hit", "Searcher", "query_encoder"]

NEAR_DUPLICATE = 0.95
"""The cosine from which two pictures count as nearly the same."""

_SPARE = 16
"""Candidates beyond those asked for: the graph compares in float16, and may confuse neighbours."""

_COMPARED = 256
"""Rows that are compared at once with all that are kept."""

_MANY = 10_000
"""Where an index would have to give more candidates than this, exact search is no slower."""


@dataclass(frozen=True)
class Hit:
    """A row that was found.

    Attributes:
        position: its number in the store.
        key: its key.
        source: where its picture is: a path, a URL or a place in an archive; None if unknown.
        score: the cosine with what was asked for, from -1 to 1.
        row: all its columns but the vectors.
    """

    position: int
    key: str
    source: str | None
    score: float
    row: dict[str, Any]


def query_encoder(
    store: Searchable,
    model: str | os.PathLike[str] | None = None,
    device: str | None = None,
) -> Encoder:
    """The model that made a store's vectors.

    Args:
        store: says by which name it was loaded.
        model: another name or path of the same model.
        device: see `snaplink.load_encoder`.

    Raises:
        StoreError: it cannot be loaded, or is another model than the store's.
    """
    name = model or store.fingerprint.model
    try:
        encoder = load_encoder(name, device)
    except ClipError as error:
        if model:
            raise
        raise StoreError(
            f"{store.path} was made with the model {name!r}, which cannot be loaded: {error}. "
            "If it is elsewhere now, say where with --model (in Python: model=)"
        ) from error
    _check(store, encoder)
    return encoder


def _check(store: Searchable, encoder: Encoder) -> None:
    made_by = store.fingerprint
    upright = bool(made_by.preprocessing.get("upright"))
    store.check(fingerprint(encoder, upright=upright, normalized=True, bulk=False), query=True)


class Searcher:
    """Searches a store; the model, the index and the maps stay open between two searches.

    Args:
        store: what to search.
        encoder: what made its vectors; by default the model that the store names is loaded when
            words or pictures are first asked for.
        exact: never use the index.
        on_note: called with a sentence when a search takes another way than was to be expected.

    Raises:
        StoreError: the encoder is not of the store's model.
    """

    def __init__(
        self,
        store: Searchable,
        encoder: Encoder | Callable[[], Encoder] | None = None,
        *,
        exact: bool = False,
        on_note: Callable[[str], object] = lambda note: None,
    ) -> None:
        self.store = store
        self._exact = exact
        self._note = on_note
        self._vectors: dict[str, Vectors] = {}
        self._indexes: dict[str, Neighbours | None] = {}
        if isinstance(encoder, Encoder):
            _check(store, encoder)
        self._given = encoder

    @cached_property
    def encoder(self) -> Encoder:
        """The model, loaded when it is first needed."""
        if self._given is None:
            return query_encoder(self.store)
        return self._given if isinstance(self._given, Encoder) else self._given()

    def search(
        self,
        query: Asked,
        *,
        top: int = 10,
        threshold: float | None = None,
        where: str | None = None,
        modality: str | None = None,
        dedupe: float | None = None,
    ) -> list[Hit]:
        """The rows that fit best, the best first.

        Args:
            query: words, the path of a picture (a `Path`), a picture, a `Query` of several, or a
                vector ``[dim]`` of any length.
            top: how many, at most.
            threshold: the least cosine.
            where: an SQL expression over the metadata that must hold (see `rows_where`).
            modality: search among "image" or "text" vectors; by default the store's first.
            dedupe: leave out rows whose cosine with a better hit is at least this.

        Raises:
            ArgumentError: something asked for cannot be.
            StoreError: the model is not the store's.
            PictureError: a picture cannot be used.
        """
        if top < 1:
            raise ArgumentError(f"top is {top}: ask for at least one")
        modality = modality or self.store.modalities[0]
        self.vectors(modality)
        allowed = rows_where(self.store, where) if where is not None else None
        vector = direction(query, self.store.fingerprint, lambda: self.encoder)
        found = self.rank(vector, top, allowed=allowed, modality=modality, dedupe=dedupe)
        enough = len(found) if threshold is None else int((found.scores >= threshold).sum())
        return self._hits(found.positions[:enough], found.scores[:enough].tolist())

    def rank(
        self,
        vector: Matrix,
        top: int,
        *,
        allowed: Mask | None = None,
        modality: str = "image",
        dedupe: float | None = None,
    ) -> Ranked:
        """Positions and scores alone, for a vector ``[dim]`` of length 1."""
        if vector.shape != (self.store.dim,):
            raise ArgumentError(
                f"a vector of {vector.size} numbers is asked for; {self.store.path} has vectors "
                f"of {self.store.dim}"
            )
        wanted = top
        while True:
            found = self._nearest(vector, wanted, allowed, modality)
            kept = found if dedupe is None else self._distinct(found, dedupe, modality, top)
            if len(kept) >= top or len(found) < wanted:
                return Ranked(kept.positions[:top], kept.scores[:top])
            wanted *= 4

    def vectors(self, modality: str) -> Vectors:
        """Those of one modality, opened once."""
        if modality not in self._vectors:
            self._vectors[modality] = self.store.vectors(modality)
        return self._vectors[modality]

    def index(self, modality: str) -> Neighbours | None:
        """The index, if there is one that may be used."""
        if modality not in self._indexes:
            self._indexes[modality] = None if self._exact else self._opened(modality)
        return self._indexes[modality]

    def _opened(self, modality: str) -> Neighbours | None:
        try:
            return open_index(self.store, modality)
        except SnaplinkError as error:
            self._note(f"searched exactly, without the index: {error}")
            return None

    @property
    def _unit(self) -> bool:
        return self.store.fingerprint.normalized

    def _nearest(self, vector: Matrix, top: int, allowed: Mask | None, modality: str) -> Ranked:
        vectors = self.vectors(modality)
        index = self.index(modality)
        candidates = None if index is None else _candidates(index, vector, top, allowed)
        if candidates is None:
            return nearest(vectors, vector[None], top, allowed=allowed, unit=self._unit)[0]
        return rescored(vectors, candidates, vector, top, unit=self._unit)

    def _distinct(self, found: Ranked, limit: float, modality: str, top: int) -> Ranked:
        """Without what is nearly the same as something better."""
        rows = self.vectors(modality).take(found.positions)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        kept: list[int] = []
        for start in range(0, len(rows), _COMPARED):
            block = rows[start : start + _COMPARED]
            new = _unlike(block, rows[kept], limit)
            kept += [start + place for place in new[: top - len(kept)]]
            if len(kept) == top:
                break
        return Ranked(found.positions[kept], found.scores[kept])

    def _hits(self, positions: Positions, scores: list[float]) -> list[Hit]:
        rows = self.store.take(positions).to_pylist()
        return [
            # Halves are rounded: the cosine of a row with itself may come out as 1.00002.
            Hit(position, row["key"], row["source"], max(-1.0, min(score, 1.0)), row)
            for position, score, row in zip(positions.tolist(), scores, rows, strict=True)
        ]


def _unlike(rows: Matrix, before: Matrix, limit: float) -> list[int]:
    """Which unit vectors ``[n, dim]`` are like none of some others, nor like one that is kept."""
    new = (rows @ before.T).max(1, initial=-1.0) < limit
    alike = rows @ rows.T >= limit
    kept: list[int] = []
    for place in np.flatnonzero(new).tolist():
        if not alike[place, kept].any():
            kept.append(place)
    return kept


def _candidates(
    index: Neighbours, vector: Matrix, top: int, allowed: Mask | None
) -> Positions | None:
    """Enough of the index's rows that are allowed; None where exact search is the better way."""
    share = 1.0 if allowed is None else np.count_nonzero(allowed) / max(1, len(allowed))
    count = int(2 * top / share) + 1 if share else _MANY
    if count >= min(_MANY, len(index)):
        return None
    found = index.candidates(vector, count if allowed is not None else top + _SPARE)
    if allowed is None:
        return found
    found = found[allowed[found]]
    return found if len(found) >= top else None
