"""A store's pictures in k groups of like ones."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import ArgumentError, MissingPackageError
from .search import Searchable
from .search.building import unit_rows
from .search.exact import Positions
from .vectors import Matrix, Vectors

__all__ = ["Clusters", "cluster", "names_of"]

_AT_ONCE = 8192
_SAMPLED = 100_000
_SAMPLED_FOR_EACH = 256
_COMPARED_IN_FULL = 4_000_000


@dataclass(frozen=True)
class Clusters:
    """Which group each row is in.

    Attributes:
        centres: a unit vector a group, float32 ``[k, dim]``; the largest group first.
        of_row: the group of each row, ``[rows]``; -1 for a row without a vector.
        scores: the cosine of each row with its centre, float32 ``[rows]``.
    """

    centres: Matrix
    of_row: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]

    def members(self, group: int) -> Positions:
        """The rows of a group, the most typical first."""
        rows = np.flatnonzero(self.of_row == group)
        return rows[np.argsort(-self.scores[rows], kind="stable")]


def cluster(
    store: Searchable,
    k: int,
    *,
    modality: str = "image",
    seed: int = 0,
) -> Clusters:
    """Group rows by scikit-learn's k-means over their unit vectors, in batches if they are many.

    Of a store with more than 100,000 rows (or 256 a group), the centres come from a sample.

    Args:
        store: what to group.
        k: how many groups; fewer come out where fewer different pictures are.
        modality: "image" or "text".
        seed: other seeds find other, about equally good groups.

    Raises:
        ArgumentError: k is less than 1, or more than there are vectors.
        MissingPackageError: scikit-learn is not installed.
    """
    try:
        from sklearn.cluster import KMeans, MiniBatchKMeans  # type: ignore[import-untyped]
    except ImportError:
        raise MissingPackageError("clusters", "scikit-learn", "search") from None
    vectors = store.vectors(modality)
    count = len(vectors) - vectors.missing
    if not 1 <= k <= count:
        raise ArgumentError(f"{k} clusters of {count:,} {modality} vectors: choose 1 to {count:,}")
    sample = _sample(vectors, max(_SAMPLED, _SAMPLED_FOR_EACH * k), seed)
    if len(sample) * k <= _COMPARED_IN_FULL:
        model = KMeans(k, random_state=seed, n_init=3)
    else:
        model = MiniBatchKMeans(k, random_state=seed, n_init=3, batch_size=_AT_ONCE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fewer different pictures than groups
        model.fit(sample)
    return _assigned(vectors, unit_rows(model.cluster_centers_.astype(np.float32)))


def _sample(vectors: Vectors, count: int, seed: int) -> Matrix:
    """Unit vectors of rows drawn at random."""
    drawn = np.random.default_rng(seed).permutation(len(vectors))[: count + vectors.missing]
    rows = vectors.take(np.sort(drawn))
    return unit_rows(rows[np.isfinite(rows).all(1)])


def _assigned(vectors: Vectors, centres: Matrix) -> Clusters:
    """Every row with its nearest centre; the centres by the number of their rows."""
    of_row = np.full(len(vectors), -1, np.int64)
    scores = np.full(len(vectors), np.nan, np.float32)
    for start in range(0, len(vectors), _AT_ONCE):
        rows = vectors.take(range(start, min(start + _AT_ONCE, len(vectors))))
        whole = np.flatnonzero(np.isfinite(rows).all(1))
        cosines = unit_rows(rows[whole]) @ centres.T
        of_row[start + whole] = cosines.argmax(1)
        scores[start + whole] = cosines.max(1, initial=-1)
    sizes = np.bincount(of_row[of_row >= 0], minlength=len(centres))
    order = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    rank = np.full(len(centres) + 1, -1)
    rank[order] = np.arange(len(order))
    return Clusters(centres[order], rank[of_row], scores)


def names_of(clusters: Clusters, labels: Sequence[str], weights: Matrix) -> list[str]:
    """For each group, the label whose vector is the nearest to its centre.

    Words lie apart from pictures, so what all labels have in common with all centres is taken out
    first: else the one label that is nearest to pictures at large would name every group.

    Args:
        clusters: what to name.
        labels: to choose from.
        weights: a unit vector a label, ``[labels, dim]``.
    """
    scores = clusters.centres @ weights.T
    scores -= scores.mean(0)
    return [labels[number] for number in scores.argmax(1)]
