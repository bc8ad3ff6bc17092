"""How an index is built: its recall is measured, and decides how widely it will search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from snaplink.errors import ArgumentError
from snaplink.vectors import Matrix, Vectors

from .exact import Mask, Positions, nearest
from .index import IndexFacts, Progress, add_rows, new_index, search_widely, write_index

if TYPE_CHECKING:
    from usearch.index import Index

    from .searchable import Searchable

__all__ = ["RECALL", "build_index"]

RECALL = 0.99
"""The share of the ten nearest that an index is to find."""

_NEAREST = 10
_SAMPLED = 1000
_EXPANSIONS = (64, 96, 128, 192, 256, 384, 512, 768, 1024)


@dataclass(frozen=True)
class _Trial:
    """Queries of one kind, and what exact search answers."""

    queries: Matrix
    truth: list[set[int]]

    def recall(self, graph: Index) -> float:
        found = graph.search(self.queries, _NEAREST)
        keys = np.asarray(found.keys, np.int64).reshape(len(self.queries), -1)
        right = sum(
            len(wanted & set(row[:count].tolist()))
            for wanted, row, count in zip(self.truth, keys, _counts(found, keys), strict=True)
        )
        return right / max(1, sum(map(len, self.truth)))


def _counts(found: object, keys: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> list[int]:
    counts = getattr(found, "counts", None)
    return [keys.shape[1]] * len(keys) if counts is None else np.asarray(counts).tolist()


def build_index(
    store: Searchable,
    modality: str = "image",
    *,
    recall: float = RECALL,
    progress: Progress = lambda rows: None,
) -> IndexFacts:
    """Build the index of a store's vectors, measure it, and write it into the store.

    A thousand rows (a tenth of a small store) are left out at first and asked for: how many of
    their ten nearest are found is the recall. Where the store has captions, these are asked for
    in pictures, too, since words lie apart from pictures. The index will search as widely as the
    wanted recall needs, of either kind. Then the rows that were left out are added.

    Args:
        store: what to index.
        modality: "image" or "text".
        recall: what is wanted; the widest search is taken where none reaches it.
        progress: called with the number of rows that were added.

    Raises:
        ArgumentError: there is no vector.
        MissingPackageError: usearch is not installed.
    """
    vectors = store.vectors(modality)
    unit = store.fingerprint.normalized
    if len(vectors) == vectors.missing:
        raise ArgumentError(f"{store.path} holds no {modality} vectors to index")
    graph = new_index(store.dim, unit=unit)
    held_out = _sample(vectors, min(_SAMPLED, len(vectors) // 10))
    add_rows(graph, vectors, held_out, progress)
    trials = _trials(store, modality, held_out, unit)
    expansion, found = _tuned(graph, trials, recall)
    if len(held_out):
        graph.add(held_out, vectors.take(held_out).astype(vectors.dtype))
    return write_index(
        store,
        modality,
        graph,
        expansion=expansion,
        recall=found,
        queries={kind: len(trial.queries) for kind, trial in trials.items()},
    )


def _sample(vectors: Vectors, count: int) -> Positions:
    """Rows that hold vectors, drawn at random, the same at each run."""
    drawn = np.random.default_rng(0).permutation(len(vectors))[:count]
    whole = np.isfinite(vectors.take(drawn)).all(1) if count else np.empty(0, bool)
    return np.sort(drawn[whole])


def _trials(store: Searchable, modality: str, held_out: Positions, unit: bool) -> dict[str, _Trial]:
    vectors = store.vectors(modality)
    allowed = np.ones(len(vectors), bool)
    allowed[held_out] = False
    trials = {}
    for kind in sorted(store.modalities, key=lambda kind: kind != modality):
        others = store.vectors(kind)
        rows = held_out if kind == modality else _sample(others, len(held_out))
        if len(rows):
            trials[kind] = _trial(vectors, _unit(others.take(rows)), allowed, unit)
    return trials


def _trial(vectors: Vectors, queries: Matrix, allowed: Mask, unit: bool) -> _Trial:
    exact = nearest(vectors, queries, _NEAREST, allowed=allowed, unit=unit)
    return _Trial(queries, [set(ranked.positions.tolist()) for ranked in exact])


def _unit(matrix: Matrix) -> Matrix:
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.maximum(lengths, np.finfo(np.float32).tiny))


def _tuned(graph: Index, trials: dict[str, _Trial], wanted: float) -> tuple[int, dict[str, float]]:
    """The smallest expansion that reaches the recall with every kind of query."""
    for expansion in _EXPANSIONS:
        search_widely(graph, expansion)
        found = {kind: trial.recall(graph) for kind, trial in trials.items()}
        if all(share >= wanted for share in found.values()):
            break
    return expansion, found
