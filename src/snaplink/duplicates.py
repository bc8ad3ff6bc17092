"""Pictures of a store that are nearly the same, and which of them to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .errors import MissingPackageError, StoreError
from .search import NEAR_DUPLICATE, Searchable, open_index
from .search.building import unit_rows
from .search.exact import Positions
from .search.index import Neighbours, add_rows, new_index
from .vectors import Vectors

__all__ = ["Group", "duplicates"]

Pairs: TypeAlias = npt.NDArray[np.int64]
Row: TypeAlias = dict[str, Any]

_POSITION = "__position__"

_COMPARED_EXACTLY = 50_000
"""In a larger store, neighbours come from an index: comparing all would be of quadratic time."""

_NEIGHBOURS = 64
_AT_ONCE = 1024
_PAIRS_AT_ONCE = 1 << 22
_EXPANSION = 128


@dataclass(frozen=True)
class Group:
    """Rows that are nearly the same picture.

    Attributes:
        kept: the one with the most pixels; of equals, that of the larger file, then the first.
        others: the rest, the most similar first.
        scores: their cosines with `kept`, none below the threshold.
    """

    kept: dict[str, Any]
    others: tuple[dict[str, Any], ...]
    scores: tuple[float, ...]


def duplicates(
    store: Searchable,
    *,
    threshold: float = NEAR_DUPLICATE,
    progress: Callable[[int], object] = lambda rows: None,
) -> list[Group]:
    """Groups of near-duplicates, the largest group first.

    A row joins the group of the largest picture that it is nearly the same as, so each of a
    group's rows is within the threshold of the one that is kept: chains of small changes do not
    grow into one group.

    A store of up to 50,000 rows is compared exactly, each with each. In a larger one, each row's
    64 nearest come from the store's index or, without a fresh one, from an index made for this.

    Args:
        store: with vectors of pictures.
        threshold: the cosine from which two rows count as nearly the same.
        progress: called with the number of rows that were compared.
    """
    vectors = store.vectors("image")
    unit = store.fingerprint.normalized
    if len(vectors) <= _COMPARED_EXACTLY:
        found = _pairs_of_all(vectors, threshold, unit, progress)
    else:
        found = _pairs_by_index(store, vectors, threshold, progress)
    groups = [
        star
        for component in _components(_joined(found))
        for star in _stars(_by_size(store, component), vectors, threshold)
    ]
    groups.sort(key=lambda group: -len(group.others))
    return groups


def _pairs_of_all(
    vectors: Vectors, threshold: float, unit: bool, progress: Callable[[int], object]
) -> Iterator[Pairs]:
    """Every two rows within the threshold, the earlier first."""
    rows = vectors.to_numpy().astype(np.float32)
    whole = np.flatnonzero(np.isfinite(rows).all(1))
    rows = rows[whole] if unit else unit_rows(rows[whole])
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        left, right = np.nonzero(part @ rows[start:].T >= threshold)
        later = right > left
        yield np.stack([whole[start + left[later]], whole[start + right[later]]], axis=1)
        progress(len(part))


def _pairs_by_index(
    store: Searchable, vectors: Vectors, threshold: float, progress: Callable[[int], object]
) -> Iterator[Pairs]:
    index = _index(store, vectors, progress)
    for start in range(0, len(vectors), _AT_ONCE):
        positions = np.arange(start, min(start + _AT_ONCE, len(vectors)))
        rows = vectors.take(positions)
        whole = np.isfinite(rows).all(1)
        positions, rows = positions[whole], unit_rows(rows[whole])
        neighbours, scores = index.of(rows, _NEIGHBOURS)
        place, rank = np.nonzero(scores >= threshold)
        left, right = positions[place], neighbours[place, rank]
        apart = left != right
        yield np.stack([left[apart], right[apart]], axis=1)
        progress(len(rows))


def _index(store: Searchable, vectors: Vectors, progress: Callable[[int], object]) -> Neighbours:
    try:
        stored = open_index(store, "image")
    except StoreError:  # of an earlier state, or damaged
        stored = None
    if stored is not None:
        return stored
    graph = new_index(store.dim, unit=store.fingerprint.normalized)
    add_rows(graph, vectors, np.empty(0, np.int64), progress)
    return Neighbours(graph, _EXPANSION)


def _joined(found: Iterable[Pairs]) -> Pairs:
    """Pairs that connect the same rows as all of these, and are not many more than the rows.

    With a low threshold nearly every two rows are a pair: more than fit into memory.
    """
    pairs = np.empty((0, 2), np.int64)
    most = _PAIRS_AT_ONCE
    for more in found:
        pairs = np.concatenate([pairs, more])
        if len(pairs) > most:
            trees = [np.empty((0, 2), np.int64), *map(_tree, _components(pairs))]
            pairs = np.concatenate(trees)
            most = _PAIRS_AT_ONCE + 2 * len(pairs)
    return pairs


def _tree(component: Positions) -> Pairs:
    """As few pairs as connect these rows."""
    return np.stack([np.full(len(component) - 1, component[0]), component[1:]], axis=1)


def _components(pairs: Pairs) -> list[Positions]:
    """Rows that pairs connect, be it by way of others."""
    try:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components
    except ImportError:
        raise MissingPackageError("groups", "scipy", "search") from None

    rows, numbered = np.unique(pairs, return_inverse=True)
    if not len(rows):
        return []
    left, right = numbered.reshape(-1, 2).T
    graph = coo_array((np.ones(len(left), bool), (left, right)), shape=(len(rows), len(rows)))
    _, component = connected_components(graph, directed=False)
    order = np.argsort(component, kind="stable")
    ends = np.flatnonzero(np.diff(component[order])) + 1
    return np.split(rows[order], ends)


def _by_size(store: Searchable, component: Positions) -> list[Row]:
    """Its rows, each with its position, the largest picture first."""
    rows = store.take(component).to_pylist()
    for position, row in zip(component.tolist(), rows, strict=True):
        row[_POSITION] = position
    return sorted(rows, key=_size, reverse=True)


def _size(row: Row) -> tuple[int, int, int]:
    pixels = (row["width"] or 0) * (row["height"] or 0)
    return pixels, row["size"] or 0, -row[_POSITION]


def _stars(rows: list[Row], vectors: Vectors, threshold: float) -> Iterator[Group]:
    """The first row with all that are near to it; of the rest, the same again."""
    units = unit_rows(vectors.take([row.pop(_POSITION) for row in rows]))
    left = np.arange(len(rows))
    while len(left) > 1:
        kept, rest = left[0], left[1:]
        scores = units[rest] @ units[kept]
        near = scores >= threshold
        order = np.argsort(-scores[near], kind="stable")
        if near.any():
            others = tuple(rows[number] for number in rest[near][order])
            yield Group(rows[kept], others, tuple(scores[near][order].tolist()))
        left = rest[~near]
