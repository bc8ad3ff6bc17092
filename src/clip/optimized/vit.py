"""The ViT tower, packed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .linears import Make
from .stack import Group, Norm, Stack, own

__all__ = ["ViT"]


class ViT:
    """A `clip.model.VisionTransformer`, packed.

    Args:
        visual: an exact one, see `structure.py`.
        make: makes the linear layers.
    """

    def __init__(self, visual: Any, make: Make) -> None:
        weight = own(visual.conv1.weight)
        width, _, self._patch, _ = weight.shape
        self._patches = make(weight.flatten(1), torch.zeros(width))
        places = own(visual.positional_embedding)  # [L, D]
        self._class = own(visual.class_embedding) + places[0]
        self._places = places[1:]
        self._norm_before = Norm(visual.ln_pre)
        self._stack = Stack(visual.transformer, make, first=make, causal=False)
        self._norm_behind = Norm(visual.ln_post)
        self._projection = None if visual.proj is None else own(visual.proj)

    def __call__(self, pixels: Tensor) -> Tensor:
        """Pictures, float32 [N, 3, R, R], to features [N, E]."""
        count, _, side, _ = pixels.shape
        grid, patch = side // self._patch, self._patch
        pixels = pixels.view(count, 3, grid, patch, grid, patch).permute(0, 2, 4, 1, 3, 5)
        pixels = pixels.clone(memory_format=torch.contiguous_format)  # to be used up
        patches = self._patches(pixels.view(count * grid**2, -1))  # [N * grid ** 2, D]

        length, width = grid**2 + 1, patches.shape[1]
        x = patches.new_empty(count, length, width, dtype=torch.float32)
        x[:, 0] = self._class
        torch.add(patches.view(count, -1, width), self._places, out=x[:, 1:])
        x = self._norm_before(x.view(-1, width))

        chosen = torch.arange(0, count * length, length)
        x = self._norm_behind(self._stack(x, [Group(count, length)], chosen))
        return x if self._projection is None else x @ self._projection
