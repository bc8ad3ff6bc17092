"""How an index is built: its recall is measured, and decides how widely it will search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from snaplink.errors import ArgumentError
from snaplink.vectors import Matrix, Vectors

from .exact import Mask, Positions, Ranked, nearest, rescored
from .index import IndexFacts, Neighbours, Progress, add_rows, new_index, write_index

if TYPE_CHECKING:
    from usearch.index import Index

    from .searchable import Searchable

__all__ = ["RECALL", "build_index", "unit_rows"]

RECALL = 0.99
"""The share of the ten nearest that an index is to find."""

_NEAREST = 10
_CERTAINTY = 3  # standard errors: a thousand queries measure recall to a few thousandths
_SAMPLED = 1000
_ROUNDING = 1e-6
_EXPANSIONS = (64, 96, 128, 192, 256, 384, 512, 768, 1024)


Shares: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Trial:
    """Queries of one kind, and what exact search answers."""

    vectors: Vectors
    unit: bool
    queries: Matrix
    truth: list[Ranked]

    def recalls(self, index: Neighbours) -> Shares:
        """Of each query the share of the nearest that is found; of equally near ones, any does."""
        found, _ = index.of(self.queries, _NEAREST)
        shares = []
        for query, positions, truth in zip(self.queries, found, self.truth, strict=True):
            if len(truth):
                scores = rescored(self.vectors, positions, query, _NEAREST, unit=self.unit).scores
                right = np.count_nonzero(scores >= truth.scores[-1] - _ROUNDING)
                shares.append(right / len(truth))
        return np.array(shares)


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
            trials[kind] = _trial(vectors, unit_rows(others.take(rows)), allowed, unit)
    return trials


def _trial(vectors: Vectors, queries: Matrix, allowed: Mask, unit: bool) -> _Trial:
    truth = nearest(vectors, queries, _NEAREST, allowed=allowed, unit=unit)
    return _Trial(vectors, unit, queries, truth)


def unit_rows(matrix: Matrix) -> Matrix:
    """Each row divided by its length."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.maximum(lengths, np.finfo(np.float32).tiny))


def _tuned(graph: Index, trials: dict[str, _Trial], wanted: float) -> tuple[int, dict[str, float]]:
    """The smallest expansion that surely reaches the recall with every kind of query."""
    for expansion in _EXPANSIONS:
        index = Neighbours(graph, expansion)
        shares = {kind: trial.recalls(index) for kind, trial in trials.items()}
        if all(_surely(found) >= wanted for found in shares.values()):
            break
    return expansion, {kind: float(found.mean()) for kind, found in shares.items()}


def _surely(shares: Shares) -> float:
    """A mean that others like these would have, too: the smallest expansion was not just lucky."""
    return float(shares.mean() - _CERTAINTY * shares.std() / len(shares) ** 0.5)
