"""The vectors of a store, block by block: mapped from disk, never read as a whole unasked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Block", "Matrix", "Vectors"]

Matrix: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Block:
    """Some rows that lie together on disk.

    Attributes:
        rows: how many there are.
        read: gives them, float16 or float32 ``[rows, dim]``; cheap where they are mapped.
        missing: how many of them hold no vector.
    """

    rows: int
    read: Callable[[], Matrix]
    missing: int = 0


class Vectors:
    """The vectors of one modality, one a row, in the order of a store's rows.

    A row without a vector (a picture without a caption, say) is NaN throughout; so is its score.

    Args:
        blocks: where the rows are, in order.
        dim: width of the vectors.
        dtype: float16 or float32.

    Attributes:
        dim: width of the vectors.
        dtype: theirs on disk.
        missing: how many rows hold no vector.

    >>> vectors = Vectors.of(np.eye(3, dtype=np.float16))
    >>> len(vectors), vectors.take([2, 0])[0].tolist()
    (3, [0.0, 0.0, 1.0])
    """

    def __init__(self, blocks: Sequence[Block], dim: int, dtype: npt.DTypeLike) -> None:
        self.dim = dim
        self.dtype = np.dtype(dtype)
        self.missing = sum(block.missing for block in blocks)
        self._blocks = tuple(blocks)
        self._starts = [0, *accumulate(block.rows for block in blocks)]

    @classmethod
    def of(cls, matrix: Matrix) -> Vectors:
        """Those of a matrix ``[n, dim]`` in memory."""
        rows, dim = matrix.shape
        missing = int(np.isnan(matrix[:, :1]).sum())
        return cls([Block(rows, lambda: matrix, missing)], dim, matrix.dtype)

    def __len__(self) -> int:
        return self._starts[-1]

    def blocks(self) -> Iterator[tuple[int, Matrix]]:
        """Yields the position of a block's first row and its rows, ``[n, dim]``, as on disk."""
        for start, block in zip(self._starts, self._blocks, strict=False):
            yield start, block.read()

    def take(self, positions: Sequence[int] | npt.NDArray[np.integer[Any]]) -> Matrix:
        """The vectors at these positions, in their order: float32 ``[n, dim]``.

        Raises:
            IndexError: there is no such row.
        """
        wanted = np.asarray(positions, dtype=np.int64)
        outside = (wanted < 0) | (wanted >= len(self))
        if outside.any():
            raise IndexError(f"row {wanted[outside][0]} of {len(self)}")
        taken = np.empty((len(wanted), self.dim), np.float32)
        of_block = np.searchsorted(self._starts, wanted, side="right") - 1
        for number in np.unique(of_block):
            here = of_block == number
            taken[here] = self._blocks[number].read()[wanted[here] - self._starts[number]]
        return taken

    def to_numpy(self) -> Matrix:
        """All of them in memory, ``[n, dim]``, dtype as on disk."""
        whole = np.empty((len(self), self.dim), self.dtype)
        for start, block in self.blocks():
            whole[start : start + len(block)] = block
        return whole
