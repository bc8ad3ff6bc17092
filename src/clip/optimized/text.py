"""The text tower, packed: captions lie one behind the other, each cut at its end token."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .linears import Make
from .stack import Group, Norm, Stack, own

__all__ = ["TextTower"]


class TextTower:
    """`encode_text` of a `clip.model.CLIP`, packed.

    Args:
        model: with an exact text tower, see `structure.py`.
        make: makes the blocks' linear layers.
        first: makes those of the first block, to which the embeddings come small.
    """

    def __init__(self, model: Any, make: Make, first: Make) -> None:
        self._tokens = own(model.token_embedding.weight)  # [vocabulary, D]
        self._places = own(model.positional_embedding)  # [context, D]
        self._stack = Stack(model.transformer, make, first=first, causal=True)
        self._norm = Norm(model.ln_final)
        self._projection = own(model.text_projection)  # [D, E]

    @property
    def context_length(self) -> int:
        return self._places.shape[0]

    @property
    def output_dim(self) -> int:
        return self._projection.shape[1]

    def __call__(self, text: Tensor) -> Tensor:
        """Token ids [N, L], int32 or int64 on the CPU, to features [N, E]."""
        # A causal tower cannot see what follows the end token, the highest id of a row.
        lengths, order = (text.argmax(dim=-1) + 1).sort(stable=True)
        sizes, counts = torch.unique_consecutive(lengths, return_counts=True)
        groups = [Group(*pair) for pair in zip(counts.tolist(), sizes.tolist(), strict=True)]

        places = torch.arange(int(lengths[-1]))
        inside = places < lengths[:, None]  # [N, L]
        ids = text[order, : len(places)][inside].long()  # [T]
        x = self._tokens[ids] + self._places[places.expand_as(inside)[inside]]
        x = self._norm(self._stack(x, groups, lengths.cumsum(0) - 1)) @ self._projection
        features = torch.empty_like(x)
        features[order] = x
        return features
