"""Transformer blocks on packed rows: sequences one after the other, with nothing between them.

The rows [T, D] of a stack are those of its groups; a group is some sequences of equal length. The
linear layers see the rows and know nothing of sequences, so no position is computed for padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from torch import Tensor, nn

from .linears import Activation, Make

__all__ = ["Group", "Norm", "Stack", "attention"]

# Of QuickGELU: x * sigmoid(1.702 x) = silu(1.702 x) / 1.702.
_QUICK = 1.702

_SCORES = 4_000_000
"""How many attention weights are held at once: as many as caches hold, whatever the batch."""


@dataclass(frozen=True)
class Group:
    """So many sequences, each so long."""

    count: int
    length: int


class Norm:
    """A layer norm with weights of its own, in float32."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        self.shape, self.eps = norm.normalized_shape, norm.eps
        self.weight, self.bias = own(norm.weight), own(norm.bias)

    def __call__(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.shape, self.weight, self.bias, self.eps)


def own(tensor: Tensor) -> Tensor:
    """A float32 copy that nothing else shares."""
    return tensor.detach().to("cpu", torch.float32, copy=True)


class Stack:
    """A `clip.model.Transformer`, packed; its last block computes one row of each sequence only.

    Args:
        transformer: with exact blocks, see `structure.py`.
        make: makes the linear layers.
        first: makes those of the first block.
        causal: whether a position sees only those before it.
    """

    def __init__(self, transformer: Any, make: Make, *, first: Make, causal: bool) -> None:
        *blocks, last = transformer.resblocks
        makes = [first, *[make] * len(blocks)]
        self._blocks = [
            _Block(block, its, causal) for block, its in zip(blocks, makes, strict=False)
        ]
        self._last = _LastBlock(last, makes[-1])

    def __call__(self, x: Tensor, groups: Sequence[Group], chosen: Tensor) -> Tensor:
        """The rows `chosen`, one of each sequence (a text's last one), behind the last block.

        Args:
            x: float32 [T, D].
            groups: what the rows are.
            chosen: int64 [sequences], ascending.
        """
        for block in self._blocks:
            x = block(x, groups)
        return self._last(x, groups, chosen)


class _Mlp:
    """The second half of a block: norm, two linears, residual."""

    def __init__(self, block: Any, make: Make) -> None:
        quick = type(block.mlp.gelu) is not nn.GELU
        factor = _QUICK if quick else 1.0
        fc, proj = block.mlp.c_fc, block.mlp.c_proj
        self._activation: Activation = "swish" if quick else "gelu"
        self._norm = Norm(block.ln_2)
        self._fc = make(own(fc.weight) * factor, own(fc.bias) * factor)
        self._proj = make(own(proj.weight) / factor, own(proj.bias))

    def __call__(self, x: Tensor) -> Tensor:
        return self._proj.plus(self._fc(self._norm(x), self._activation), x)


class _Block:
    def __init__(self, block: Any, make: Make, causal: bool) -> None:
        self._heads, self._causal = block.attn.num_heads, causal
        self._norm = Norm(block.ln_1)
        weight, bias = _scaled_in_proj(block.attn)
        self._qkv = make(weight, bias)
        self._out = make(own(block.attn.out_proj.weight), own(block.attn.out_proj.bias))
        self._mlp = _Mlp(block, make)

    def __call__(self, x: Tensor, groups: Sequence[Group]) -> Tensor:
        qkv = self._qkv.heads(self._norm(x))  # [T, 3 D]
        parts = []
        for group, rows in zip(groups, _split(qkv, groups), strict=True):
            rows = rows.view(group.count, group.length, 3, self._heads, -1)
            q, k, v = rows.permute(2, 0, 3, 1, 4)  # [n, heads, L, D / heads] each
            parts.append(attention(q, k, v, causal=self._causal))
        mixed = parts[0] if len(parts) == 1 else torch.cat(parts)
        return self._mlp(self._out.plus(mixed, x))


class _LastBlock:
    """Keys and values of every row, and all else of the chosen rows only."""

    def __init__(self, block: Any, make: Make) -> None:
        self._heads = block.attn.num_heads
        self._norm = Norm(block.ln_1)
        weight, bias = _scaled_in_proj(block.attn)
        width = weight.shape[1]
        self._q = make(weight[:width], bias[:width])
        self._kv = make(weight[width:], bias[width:])
        self._out = make(own(block.attn.out_proj.weight), own(block.attn.out_proj.bias))
        self._mlp = _Mlp(block, make)

    def __call__(self, x: Tensor, groups: Sequence[Group], chosen: Tensor) -> Tensor:
        normed = self._norm(x)
        q = self._q.heads(normed[chosen])  # [sequences, D]
        kv = self._kv.heads(normed)  # [T, 2 D]; uses up `normed`
        parts, done = [], 0
        for group, rows in zip(groups, _split(kv, groups), strict=True):
            k, v = rows.view(group.count, group.length, 2, self._heads, -1).permute(2, 0, 3, 1, 4)
            own_q = q[done : done + group.count].view(group.count, self._heads, 1, -1)
            parts.append(attention(own_q, k, v, causal=False))
            done += group.count
        return self._mlp(self._out.plus(torch.cat(parts), x[chosen]))


def _scaled_in_proj(attn: nn.MultiheadAttention) -> tuple[Tensor, Tensor]:
    """The three projections' weight and bias, with attention's own factor in the first."""
    weight, bias = own(attn.in_proj_weight), own(attn.in_proj_bias)
    width = attn.embed_dim
    factor = (width // attn.num_heads) ** -0.5
    weight[:width] *= factor
    bias[:width] *= factor
    return weight, bias


def _split(rows: Tensor, groups: Sequence[Group]) -> Sequence[Tensor]:
    return torch.split(rows, [group.count * group.length for group in groups])


def attention(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    """softmax(q k^T) v over heads: [n, heads, L, d] each to rows [n * L, heads * d]."""
    count, heads, length, _ = q.shape
    if q.dtype is not torch.bfloat16 or causal or length == 1:
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=1.0)
    else:
        step = max(1, _SCORES // (heads * length * length))
        parts = [
            _products(q[i : i + step], k[i : i + step], v[i : i + step])
            for i in range(0, count, step)
        ]
        mixed = parts[0] if len(parts) == 1 else torch.cat(parts)
    return mixed.transpose(1, 2).reshape(count * length, -1)


def _products(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """What SDPA gives; in bfloat16 on a CPU two matrix products are faster than its kernel."""
    shape = q.shape
    q, k, v = (x.flatten(0, 1) for x in (q, k, v))
    weights = torch.bmm(q, k.transpose(1, 2)).softmax(-1, dtype=torch.float32)
    return torch.bmm(weights.bfloat16(), v).view(shape)
