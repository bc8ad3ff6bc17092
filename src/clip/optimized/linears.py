"""Linear layers with their weights packed once for oneDNN: float32, bfloat16 and int8.

They work on rows `[T, K]` and give `[T, N]`. The operators are private to torch: where they are
absent or refuse, `kit_of` says so, or for float32 takes the plain one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from torch import Tensor

__all__ = ["Activation", "Kit", "Linear", "Make", "kit_of"]

Activation = Literal["none", "swish", "gelu", "relu"]

_mkldnn: Any = torch.ops.mkldnn
_onednn: Any = torch.ops.onednn


class Linear(ABC):
    """x W^T + b with packed weights. A call may use up its `x`: write over its memory.

    Args:
        weight: float32 [N, K]; it is copied.
        bias: float32 [N]; it is copied.
    """

    @abstractmethod
    def __init__(self, weight: Tensor, bias: Tensor) -> None: ...

    @abstractmethod
    def __call__(self, x: Tensor, activation: Activation = "none") -> Tensor:
        """[T, K] to [T, N]: float32, or bfloat16 where that is what the layer computes in."""

    @abstractmethod
    def heads(self, x: Tensor) -> Tensor:
        """[T, K] to [T, N] in the dtype in which attention is the fastest."""

    @abstractmethod
    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        """float32 [T, N]: the layer's result added to `residual`, which is float32, too."""


class PlainLinear(Linear):
    """float32 with nothing but torch's public functions, for processors without oneDNN."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight, self.bias = weight.clone(), bias.clone()

    def __call__(self, x: Tensor, activation: Activation = "none") -> Tensor:
        return cast(Tensor, _ACTIVATIONS[activation](F.linear(x, self.weight, self.bias)))

    def heads(self, x: Tensor) -> Tensor:
        return self(x)

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        return residual + self(x)


_ACTIVATIONS: dict[Activation, Any] = {
    "none": lambda x: x,
    "swish": F.silu,
    "gelu": F.gelu,
    "relu": F.relu,
}


class Fp32Linear(Linear):
    """float32 with oneDNN, which fuses the activation and the residual."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight = _mkldnn._reorder_linear_weight(weight.contiguous(), None)
        self.bias = bias.clone()

    def __call__(self, x: Tensor, activation: Activation = "none") -> Tensor:
        algorithm = "none" if activation == "gelu" else ""
        return cast(
            Tensor,
            _mkldnn._linear_pointwise(x, self.weight, self.bias, activation, [], algorithm),
        )

    def heads(self, x: Tensor) -> Tensor:
        return self(x)

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        return cast(
            Tensor,
            _mkldnn._linear_pointwise.binary(x, residual, self.weight, self.bias, "add"),
        )


class Bf16Linear(Linear):
    """bfloat16 products, added up in float32; what comes out is bfloat16."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self._layer = Fp32Linear(weight.bfloat16(), bias.bfloat16())

    def __call__(self, x: Tensor, activation: Activation = "none") -> Tensor:
        return self._layer(x.bfloat16(), activation)

    def heads(self, x: Tensor) -> Tensor:
        return self(x)

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        # Added in float32: a residual stream in bfloat16 would lose a digit at every block.
        return residual + self(x)


class Int8Linear(Linear):
    """int8 weights with a scale for each row, activations quantised as they come.

    Scales and zero points are found in the batch, so the features of a picture depend a little on
    its neighbours.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.scale = weight.abs().amax(dim=1).clamp_min_(1e-12) / 127
        whole = (weight / self.scale[:, None]).round_().clamp_(-127, 127).to(torch.int8)
        self.weight = _onednn.qlinear_prepack(whole, None)
        self.zero = torch.zeros(len(bias), dtype=torch.int64)
        self.bias = bias.clone()

    def __call__(self, x: Tensor, activation: Activation = "none") -> Tensor:
        return self._run(x, activation, torch.float32)

    def heads(self, x: Tensor) -> Tensor:
        return self._run(x, "none", torch.bfloat16 if bf16_is_fast() else torch.float32)

    def _run(self, x: Tensor, activation: Activation, dtype: torch.dtype) -> Tensor:
        whole, scale, zero = quantized(x)
        weight = (self.weight, self.scale, self.zero)
        algorithm = "none" if activation == "gelu" else ""
        output = (1.0, 0, dtype)
        return cast(
            Tensor,
            _onednn.qlinear_pointwise(
                whole, scale, zero, *weight, self.bias, *output, activation, [], algorithm
            ),
        )

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        whole, scales, zero = quantized_rows(x)
        weight = (self.weight, self.scale, self.zero)
        output = (1.0, 0, torch.float32)
        raw = _onednn.qlinear_pointwise(whole, 1.0, zero, *weight, None, *output, "none", [], "")
        return cast(Tensor, raw.mul_(scales).add_(self.bias).add_(residual))


def quantized(x: Tensor) -> tuple[Tensor, float, int]:
    """uint8 numbers, their scale and their zero point: x = scale * (numbers - zero point).

    A float32 `x` is written over.
    """
    low, high = (bound.item() for bound in torch.aminmax(x))
    low, high = min(low, 0.0), max(high, 0.0)
    # 254 steps, not 255: with both roundings no number leaves 0 to 255, and none need be clamped.
    scale = max((high - low) / 254, 1e-30)
    if not math.isfinite(scale):  # a picture of NaN gives features of NaN
        return torch.zeros_like(x, dtype=torch.uint8), math.nan, 0
    zero = round(-low / scale)
    return _rounded(x, 1 / scale, zero), scale, zero


def quantized_rows(x: Tensor) -> tuple[Tensor, Tensor, int]:
    """The same with a scale for each row, [T, 1]; the zero point is one for all.

    What attention and activations give has rows that are far larger than others, which one scale
    for all would serve at the expense of the rest.
    """
    x = x.float()
    below, above = x.amin(1, keepdim=True).neg_().clamp_min_(1e-30), x.amax(1, keepdim=True)
    above.clamp_min_(1e-30)
    share = (below.median() / (below.median() + above.median())).item()  # of a usual row
    zero = min(max(round(254 * share), 1), 253) if math.isfinite(share) else 127
    scales = torch.maximum(above / (254 - zero), below / zero)
    return _rounded(x, scales.reciprocal(), zero), scales, zero


def _rounded(x: Tensor, factor: Tensor | float, zero: int) -> Tensor:
    """round(x * factor) + zero as uint8; a float32 `x` is written over.

    From 2 ** 23 to 2 ** 24 a float32 has no room for a fraction: the addition rounds, and its last
    byte is the number. torch converts int32 to uint8 six times faster than float32.
    """
    x = x.float().mul_(factor).add_(1.5 * 2**23 + zero)
    return x.view(torch.int32).to(torch.uint8)


Make = Callable[[Tensor, Tensor], Linear]
"""Weight and bias to a packed layer."""


@dataclass(frozen=True)
class Kit:
    """What a precision makes its towers of.

    Attributes:
        pictures, texts: make the linear layers of a tower.
        first_text_block: makes those of the texts' first block, which loses the most by rounding.
        convolutions: what the 3x3 convolutions of a ResNet compute in.
    """

    pictures: Make
    texts: Make
    first_text_block: Make
    convolutions: torch.dtype


def kit_of(precision: str) -> Kit | None:
    """The kit of a precision; None where torch or the processor has no such thing."""
    if precision == "fp32":
        return Kit(_exact(), _exact(), _exact(), torch.float32)
    if precision == "bf16":
        kit = Kit(Bf16Linear, Bf16Linear, _exact(), torch.bfloat16)
        return kit if _works(Bf16Linear) else None
    if not _works(Int8Linear):
        return None
    # Texts gain a fifth in int8, and lose more than pictures do.
    convolutions = torch.bfloat16 if bf16_is_fast() else torch.float32
    return Kit(_int8, _half(), _exact(), convolutions)


def _int8(weight: Tensor, bias: Tensor) -> Linear:
    """Narrow layers gain nothing in int8: to round their few inputs takes as long."""
    return Int8Linear(weight, bias) if weight.shape[1] >= _WIDE else _half()(weight, bias)


_WIDE = 256


def _half() -> Make:
    return Bf16Linear if bf16_is_fast() else _exact()


def _exact() -> Make:
    return Fp32Linear if _works(Fp32Linear) else PlainLinear


@lru_cache(maxsize=1)
def bf16_is_fast() -> bool:
    """Whether oneDNN has its own bfloat16 for this processor."""
    try:
        return bool(_mkldnn._is_mkldnn_bf16_supported()) and _works(Bf16Linear)
    except (AttributeError, RuntimeError):
        return False


@lru_cache(maxsize=8)
def _works(kind: type[Linear]) -> bool:
    """Try the private operators on a small problem, and look at what comes out."""
    generator = torch.Generator().manual_seed(0)
    weight, x = torch.randn(2, 64, 64, generator=generator).div_(8)
    bias = weight[0] + 0
    expected = F.silu(F.linear(x, weight, bias))
    try:
        layer = kind(weight, bias)
        found = layer.plus(layer(x, "swish"), layer.heads(x).float())
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False
    wanted = F.linear(expected, weight, bias) + F.linear(x, weight, bias)
    return bool((found - wanted).abs().max() < 0.05 * wanted.abs().max())
