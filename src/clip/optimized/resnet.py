"""The ResNet tower, packed: batch norms folded into the convolutions, channels last.

A 1x1 convolution is a linear layer on the rows of channels [N * H * W, C], so it runs in any
precision; the 3x3 ones run in bfloat16 or float32.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from torch import Tensor, nn

from .linears import Make
from .stack import attention, own

__all__ = ["ResNet"]


class ResNet:
    """A `clip.model.ModifiedResNet`, packed.

    Args:
        visual: an exact one, see `structure.py`.
        make: makes the linear layers and the 1x1 convolutions.
        dtype: what the 3x3 convolutions compute in.
    """

    def __init__(self, visual: Any, make: Make, dtype: torch.dtype) -> None:
        pairs = ((visual.conv1, visual.bn1), (visual.conv2, visual.bn2), (visual.conv3, visual.bn3))
        self._stem = [_Convolution(*pair, dtype) for pair in pairs]
        stages = (visual.layer1, visual.layer2, visual.layer3, visual.layer4)
        self._blocks = [_Bottleneck(block, make, dtype) for stage in stages for block in stage]
        self._pool = _AttentionPool(visual.attnpool, make)

    def __call__(self, pixels: Tensor) -> Tensor:
        """Pictures, float32 [N, 3, R, R], to features [N, E]."""
        x = pixels.contiguous(memory_format=torch.channels_last)
        for convolution in self._stem:
            x = convolution(x)
        x = F.avg_pool2d(x, 2).float()
        for block in self._blocks:
            x = block(x)
        return self._pool(x)


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of the convolution that gives what both give in eval mode."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    factor = own(norm.weight) * torch.rsqrt(own(variance) + norm.eps)
    weight = own(convolution.weight) * factor[:, None, None, None]
    return weight, own(norm.bias) - own(mean) * factor


class _Convolution:
    """A 3x3 convolution with its norm and its ReLU."""

    def __init__(self, convolution: nn.Conv2d, norm: nn.BatchNorm2d, dtype: torch.dtype) -> None:
        weight, bias = _folded(convolution, norm)
        self._dtype, self._stride, self._padding = dtype, convolution.stride, convolution.padding
        self._weight = weight.to(dtype).contiguous(memory_format=torch.channels_last)
        self._bias = bias.to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        assert not isinstance(self._padding, str)
        x = x.to(self._dtype)
        return F.conv2d(x, self._weight, self._bias, self._stride, self._padding).relu_()


class _Pointwise:
    """A 1x1 convolution with its norm, on [N, C, H, W] with channels last."""

    def __init__(self, convolution: nn.Conv2d, norm: nn.BatchNorm2d, make: Make) -> None:
        weight, bias = _folded(convolution, norm)
        self._linear = make(weight.flatten(1), bias)

    def __call__(self, x: Tensor) -> Tensor:
        return _picture(self._linear(_used_up(x), "relu"), x)

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        """The sum with a float32 residual, behind its ReLU."""
        return _picture(self._linear.plus(_used_up(x), _rows(residual)).relu_(), x)

    def straight(self, x: Tensor) -> Tensor:
        """float32, without a ReLU."""
        return _picture(self._linear(_used_up(x)).float(), x)


def _rows(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _used_up(x: Tensor) -> Tensor:
    """Rows that a linear layer may write over; the picture is needed again for the shortcut."""
    rows = _rows(x)
    return rows.clone() if rows.dtype is torch.float32 else rows


def _picture(rows: Tensor, like: Tensor) -> Tensor:
    """Rows as [N, C, H, W], channels last."""
    count, _, height, width = like.shape
    return rows.view(count, height, width, -1).permute(0, 3, 1, 2)


class _Bottleneck:
    def __init__(self, block: Any, make: Make, dtype: torch.dtype) -> None:
        self._stride = block.stride
        self._narrow = _Pointwise(block.conv1, block.bn1, make)
        self._look = _Convolution(block.conv2, block.bn2, dtype)
        self._widen = _Pointwise(block.conv3, block.bn3, make)
        shortcut = block.downsample
        self._shortcut = None if shortcut is None else _Pointwise(shortcut[1], shortcut[2], make)

    def __call__(self, x: Tensor) -> Tensor:
        hidden = self._shrunk(self._look(self._narrow(x)))
        if self._shortcut is not None:
            x = self._shortcut.straight(self._shrunk(x))
        return self._widen.plus(hidden, x)

    def _shrunk(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self._stride) if self._stride > 1 else x


class _AttentionPool:
    """The mean of all places asks, and every place answers."""

    def __init__(self, pool: Any, make: Make) -> None:
        self._heads = pool.num_heads
        self._places = own(pool.positional_embedding)  # [HW + 1, C]
        factor = (pool.q_proj.in_features // pool.num_heads) ** -0.5
        self._q = make(own(pool.q_proj.weight) * factor, own(pool.q_proj.bias) * factor)
        keys_and_values = (pool.k_proj, pool.v_proj)
        self._kv = make(
            torch.cat([own(linear.weight) for linear in keys_and_values]),
            torch.cat([own(linear.bias) for linear in keys_and_values]),
        )
        self._out = own(pool.c_proj.weight), own(pool.c_proj.bias)

    def __call__(self, x: Tensor) -> Tensor:
        places = x.flatten(2).transpose(1, 2)  # [N, HW, C]
        places = torch.cat([places.mean(1, keepdim=True), places], dim=1) + self._places
        count, length, width = places.shape
        q = self._q.heads(places[:, 0].clone()).view(count, self._heads, 1, -1)
        kv = self._kv.heads(places.reshape(count * length, width))
        k, v = kv.view(count, length, 2, self._heads, -1).permute(2, 0, 3, 1, 4)
        return F.linear(attention(q, k, v, causal=False).float(), *self._out)
