"""Exact search: every stored vector is compared, block by block, and none is kept as a copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from snaplink.vectors import Matrix, Vectors

__all__ = ["Mask", "Positions", "Ranked", "nearest", "rescored"]

Positions: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

_PIECE = 1 << 21
"""Numbers that are converted to float32 at once: few enough to stay in a processor's caches."""

_SPARE = 32
"""Candidates beyond those asked for, so that float32's rounding loses none of the best."""

_QUERIES = 256
"""Queries at once, which bounds the memory that scores take."""

_GATHERED = 8
"""Of fewer rows than one in so many, the vectors are gathered; else all are read and masked."""


@dataclass(frozen=True)
class Ranked:
    """Rows and their scores, the best first; of equal scores, the earlier row.

    Attributes:
        positions: int64 ``[k]``.
        scores: cosines, float32 ``[k]``.
    """

    positions: Positions
    scores: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.positions)


def nearest(
    vectors: Vectors, queries: Matrix, top: int, *, allowed: Mask | None = None, unit: bool = True
) -> list[Ranked]:
    """The rows whose vectors have the largest cosines with each query.

    A row without a vector, or with one that is not finite, is never among them.

    Args:
        vectors: those of a store.
        queries: unit vectors, ``[q, dim]``.
        top: how many to find, at most.
        allowed: bool ``[n]``, the rows to choose from; by default all.
        unit: whether the stored vectors have length 1; else each is divided by its length.

    Returns:
        One `Ranked` a query; shorter than `top` where fewer rows match.

    >>> [found] = nearest(Vectors.of(np.eye(3, dtype=np.float16)), np.eye(3)[1:2], 2)
    >>> found.positions.tolist(), found.scores.tolist()
    ([1, 0], [1.0, 0.0])
    """
    wanted = torch.from_numpy(np.array(queries, np.float32, order="C", ndmin=2))
    found: list[Ranked] = []
    for batch in torch.split(wanted, _QUERIES):
        best = _Best(len(batch), min(top, len(vectors)) + _SPARE)
        for positions, rows, mask in _pieces(vectors, allowed):
            best.add(positions, _scores(rows, batch, mask, unit))
        for candidates, query in zip(best.positions(), batch.numpy(), strict=True):
            found.append(rescored(vectors, candidates, query, top, unit=unit))
    return found


def rescored(
    vectors: Vectors, candidates: Positions, query: Matrix, top: int, *, unit: bool = True
) -> Ranked:
    """The best of some rows, in an order that does not depend on how they were found.

    Args:
        vectors: those of a store.
        candidates: positions, each once.
        query: a unit vector, ``[dim]``.
        top: how many to keep.
        unit: as for `nearest`.
    """
    direction = query.astype(np.float64)
    scores = np.empty(len(candidates))
    step = max(1, _PIECE // vectors.dim)
    for start in range(0, len(candidates), step):
        rows = vectors.take(candidates[start : start + step]).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            lengths = 1.0 if unit else np.linalg.norm(rows, axis=1)
            scores[start : start + step] = (rows * direction).sum(1) / lengths
    kept = np.isfinite(scores)
    positions, rounded = candidates[kept], scores[kept].astype(np.float32)
    order = np.lexsort((positions, -rounded))[:top]
    return Ranked(positions[order], rounded[order])


def _pieces(
    vectors: Vectors, allowed: Mask | None
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Positions ``[n]``, vectors ``[n, dim]`` in float32, valid until the next, and a mask."""
    step = max(1, _PIECE // vectors.dim)
    if allowed is not None and np.count_nonzero(allowed) * _GATHERED < len(allowed):
        chosen = np.flatnonzero(allowed)
        for start in range(0, len(chosen), step):
            gathered = chosen[start : start + step]
            yield torch.from_numpy(gathered), torch.from_numpy(vectors.take(gathered)), None
        return
    room = torch.empty(min(step, len(vectors)), vectors.dim)
    mask = None if allowed is None else torch.from_numpy(allowed)
    for first, block in vectors.blocks():
        stored = _tensor(block)
        for start in range(0, len(stored), step):
            some = stored[start : start + step]
            at = first + start
            positions = torch.arange(at, at + len(some))
            here = None if mask is None else mask[at : at + len(some)]
            yield positions, room[: len(some)].copy_(some), here


def _tensor(block: Matrix) -> Tensor:
    """The block itself; a copy of one that is not writable, of which torch would warn."""
    return torch.from_numpy(block if block.flags.writeable else block.copy())


def _scores(rows: Tensor, queries: Tensor, mask: Tensor | None, unit: bool) -> Tensor:
    """Cosines ``[q, n]``; minus infinity for what may not be found."""
    scores = _products(rows, queries)
    if not unit:
        scores = scores / torch.linalg.vector_norm(rows, dim=1)
    never = ~torch.isfinite(scores)
    return scores.masked_fill_(never if mask is None else never | ~mask, -torch.inf)


def _products(rows: Tensor, queries: Tensor) -> Tensor:
    """Of all queries ``[q, dim]`` with all rows ``[n, dim]``: ``[q, n]``."""
    if len(queries) > 1:
        return (rows @ queries.T).T
    if torch.get_num_threads() == 1:
        return torch.mv(rows, queries[0])[None]
    # A product with one vector is one core's work, which then waits for the rows that others have
    # just converted and still hold: on some processors four times as long as all the rest. Of one
    # with two, each core does the rows that it has.
    return (rows @ queries.repeat(2, 1).T).T[:1]


class _Best:
    """The best so far for some queries at once."""

    def __init__(self, queries: int, count: int) -> None:
        self._count = count
        self._scores = [torch.empty(queries, 0)]
        self._positions = [torch.empty(queries, 0, dtype=torch.int64)]
        self._waiting = 0

    def add(self, positions: Tensor, scores: Tensor) -> None:
        """Positions ``[n]``, ascending, and scores ``[q, n]``."""
        values, found = _top(scores, positions.expand_as(scores), self._count)
        self._scores.append(values)
        self._positions.append(found)
        self._waiting += values.shape[1]
        if self._waiting > 4 * self._count + 65_536:
            self._settle()

    def _settle(self) -> None:
        scores, positions = torch.cat(self._scores, 1), torch.cat(self._positions, 1)
        values, found = _top(scores, positions, self._count)
        self._scores, self._positions = [values], [found]
        self._waiting = values.shape[1]

    def positions(self) -> Iterator[Positions]:
        """Those of each query, in no order."""
        self._settle()
        for scores, positions in zip(self._scores[0], self._positions[0], strict=True):
            yield positions[scores > -torch.inf].numpy()


def _top(scores: Tensor, positions: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest of each row of scores; of equal ones, those of the lowest positions."""
    if scores.shape[1] <= count:
        return scores, positions
    values, columns = scores.topk(count, sorted=False)
    least = values.amin(1, keepdim=True)
    if (scores == least).sum() > (values == least).sum():  # topk took some of the equal ones
        columns = positions.argsort(1)
        order = scores.gather(1, columns).argsort(stable=True, dim=1, descending=True)
        columns = columns.gather(1, order[:, :count])
        values = scores.gather(1, columns)
    return values, positions.gather(1, columns)
