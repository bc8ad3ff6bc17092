"""Texts of unlike lengths: those of a like length run together, if that is less work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from snaplink.encoder import Encoder

__all__ = ["encode_texts", "groups"]

_TOKENS_PER_RUN = 120
"""What a further run of the model costs, in tokens."""


def groups(lengths: Sequence[int]) -> list[list[int]]:
    """Positions of the texts that are to run together, the shortest first.

    A run costs its number of texts times the longest's tokens, and something for itself.

    >>> groups([9, 77, 10, 8])
    [[3, 0, 2], [1]]
    >>> groups([9, 10, 8])
    [[2, 0, 1]]
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    best = [(0, 0)]  # for so many of the shortest: the least cost, and where its last run begins
    for end in range(1, len(order) + 1):
        longest = lengths[order[end - 1]]
        best.append(
            min(
                (best[begin][0] + (end - begin) * longest + _TOKENS_PER_RUN, begin)
                for begin in range(end)
            )
        )
    found: list[list[int]] = []
    end = len(order)
    while end:
        begin = best[end][1]
        found.insert(0, order[begin:end])
        end = begin
    return found


def encode_texts(encoder: Encoder) -> Callable[[list[Any]], Sequence[npt.NDArray[np.float32]]]:
    """What runs a batch of texts, given as pairs of a text and its number of tokens.

    They have been found to fit, or may be truncated.
    """

    def encode(inputs: list[tuple[str, int]]) -> Sequence[npt.NDArray[np.float32]]:
        vectors = np.empty((len(inputs), encoder.dim), np.float32)
        for group in groups([length for _, length in inputs]):
            texts = [inputs[position][0] for position in group]
            vectors[group] = encoder.encode_texts(texts, normalize=True, truncate=True).numpy()
        return list(vectors)

    return encode
