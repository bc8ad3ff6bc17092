"""The faster equal of the transformer blocks, for float32 inference on a CPU.

`model.py` asks here first. The plain modules are what callers see, hook, replace and differentiate,
so the fast route is taken only where nobody could tell; else None says that they must run. It
reads the modules' own weights at every call and keeps no copy of them.

Why it is faster: oneDNN's matrix products in place of MKL's, with the activation and the residual
applied while the result is at hand, and no work on positions behind the last end-of-text token,
which a causal tower cannot see. `docs/performance.md` has the figures; CLIP_PLAIN=1 switches the
route off.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules import module as torch_module

__all__ = ["Originals", "residual_attention_block", "visible_length"]

_SWITCHED_OFF = os.environ.get("CLIP_PLAIN", "") not in ("", "0")

# Of QuickGELU: x * sigmoid(1.702 x) = silu(1.702 x) / 1.702.
_QUICK = 1.702


class Originals:
    """The classes of a block, and whether the functions that a plain block calls are unchanged.

    Args:
        block, norm, quick_gelu: `ResidualAttentionBlock`, `LayerNorm` and `QuickGELU`.
        stack: `Transformer`.
    """

    def __init__(
        self, block: type[Any], norm: type[Any], quick_gelu: type[Any], stack: type[Any]
    ) -> None:
        self.block, self.norm, self.quick_gelu, self.stack = block, norm, quick_gelu, stack
        methods: tuple[tuple[Any, str], ...] = (
            *((block, "attention"), (block, "forward"), (norm, "forward"), (stack, "forward")),
            *((quick_gelu, "forward"), (nn.GELU, "forward"), (nn.Linear, "forward")),
            *((nn.MultiheadAttention, "forward"), (nn.Sequential, "forward")),
            *((nn.Embedding, "forward"), (nn.Module, "__call__"), (nn.Module, "_call_impl")),
            *((F, "linear"), (F, "layer_norm"), (F, "embedding"), (F, "_in_projection_packed")),
            (torch, "sigmoid"),
            *((F, "multi_head_attention_forward"), (F, "scaled_dot_product_attention")),
        )
        self._functions = [(owner, name, getattr(owner, name)) for owner, name in methods]

    def unchanged(self) -> bool:
        return all(getattr(owner, name) is function for owner, name, function in self._functions)


def residual_attention_block(block: Any, x: Tensor, originals: Originals) -> Tensor | None:
    """What `block(x)` gives, or None where the plain modules must run.

    Args:
        block: a `ResidualAttentionBlock`.
        x: [L, N, D].
        originals: the classes that the block must be made of.
    """
    if not (_nobody_watches(originals) and _suits(x) and _is_plain(block, originals)):
        return None
    mask = block.attn_mask
    if mask is not None:
        length = x.shape[0]
        mask = mask[:length, :length].to(x.dtype)
    try:
        return _block(block, x, mask)
    except (RuntimeError, NotImplementedError):  # oneDNN refuses: the plain path may know better
        return None


def visible_length(model: Any, text: Tensor, originals: Originals) -> int:
    """How many leading positions of some token ids [N, L] can reach the features of their texts.

    That is all L where anybody could see the difference.
    """
    length = text.shape[-1]
    if not (_nobody_watches(originals) and type(text) is Tensor and text.device.type == "cpu"):
        return length
    stack = model.transformer
    if not (
        text.dim() == 2
        and text.numel()
        and _is_exactly(model.token_embedding, nn.Embedding)
        and _is_exactly(model.ln_final, originals.norm)
        and _is_exactly(stack, originals.stack)
        and _is_exactly(stack.resblocks, nn.Sequential)
        and all(_is_plain(block, originals) for block in stack.resblocks)
        and _all_causal({id(block.attn_mask): block.attn_mask for block in stack.resblocks}, length)
    ):
        return length
    return int(text.argmax(dim=-1).max()) + 1


def _nobody_watches(originals: Originals) -> bool:
    """No gradients, transforms, tracing, modes, global hooks or replaced functions."""
    return (
        not torch.compiler.is_compiling()  # first: torch.compile need not look at the rest
        and _USABLE
        and torch._C._get_mkldnn_enabled()
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._get_tracing_state()
        and not torch._C._len_torch_dispatch_stack()
        and not torch._C._len_torch_function_stack()
        and torch._C._functorch.peek_interpreter_stack() is None
        and forward_ad._current_level < 0
        and not _has_global_hooks()
        and originals.unchanged()
    )


def _suits(x: Tensor) -> bool:
    return (
        type(x) is Tensor and x.dtype is torch.float32 and x.device.type == "cpu" and x.dim() == 3
    )


def _is_plain(block: Any, originals: Originals) -> bool:
    """A block as the constructor made it: exact classes, no hooks, float32 weights on the CPU."""
    if not (_is_exactly(block, originals.block) and "attention" not in vars(block)):
        return False
    attn, mlp, mask = block.attn, block.mlp, block.attn_mask
    return (
        _is_exactly(attn, nn.MultiheadAttention)
        and attn._qkv_same_embed_dim
        and not (attn.batch_first or attn.add_zero_attn or attn.dropout)
        and attn.bias_k is None
        and attn.bias_v is None
        and _is_exactly(attn.out_proj, _OUT_PROJ)
        and _is_exactly(mlp, nn.Sequential)
        and list(mlp._modules) == ["c_fc", "gelu", "c_proj"]
        and _is_exactly(mlp.c_fc, nn.Linear)
        and _is_exactly(mlp.c_proj, nn.Linear)
        and (_is_exactly(mlp.gelu, originals.quick_gelu) or _is_exact_gelu(mlp.gelu))
        and _is_exactly(block.ln_1, originals.norm)
        and _is_exactly(block.ln_2, originals.norm)
        and (mask is None or (type(mask) is Tensor and mask.dim() == 2))
        and _all_plain(
            *(attn.in_proj_weight, attn.in_proj_bias, attn.out_proj.weight, attn.out_proj.bias),
            *(mlp.c_fc.weight, mlp.c_fc.bias, mlp.c_proj.weight, mlp.c_proj.bias),
            *(block.ln_1.weight, block.ln_1.bias, block.ln_2.weight, block.ln_2.bias),
        )
    )


_OUT_PROJ = type(nn.MultiheadAttention(1, 1).out_proj)
_TENSORS = (Tensor, nn.Parameter)


def _is_exactly(module: Any, kind: type[Any]) -> bool:
    """Of this very class, with no hooks and no forward of its own."""
    return (
        type(module) is kind
        and "forward" not in vars(module)
        and not module._forward_hooks
        and not module._forward_pre_hooks
        and not module._backward_hooks
        and not module._backward_pre_hooks
    )


def _is_exact_gelu(module: Any) -> bool:
    return _is_exactly(module, nn.GELU) and module.approximate == "none"


def _all_plain(*weights: Any) -> bool:
    return all(
        type(w) in _TENSORS
        and w.dtype is torch.float32
        and w.device.type == "cpu"
        and w.is_contiguous()
        for w in weights
    )


def _all_causal(masks: dict[int, Any], length: int) -> bool:
    return all(
        type(mask) is Tensor and torch.equal(mask[:length, :length].float(), _causal(length))
        for mask in masks.values()
    )


@lru_cache(maxsize=8)
def _causal(length: int) -> Tensor:
    return torch.full((length, length), float("-inf")).triu_(1)


def _block(block: Any, x: Tensor, mask: Tensor | None) -> Tensor:
    length, batch, width = x.shape
    attn, mlp = block.attn, block.mlp
    x = x.transpose(0, 1).reshape(batch * length, width)  # [N * L, D]

    qkv = _linear(_norm(block.ln_1, x), attn.in_proj_weight, attn.in_proj_bias)  # [N * L, 3 D]
    q, k, v = qkv.view(batch, length, 3, attn.num_heads, -1).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # [N, heads, L, D / heads]
    mixed = mixed.transpose(1, 2).reshape(batch * length, width)
    x = _linear_plus(x, mixed, attn.out_proj.weight, attn.out_proj.bias)

    if type(mlp.gelu) is nn.GELU:
        hidden = _linear(_norm(block.ln_2, x), mlp.c_fc.weight, mlp.c_fc.bias, "gelu")
        x = _linear_plus(x, hidden, mlp.c_proj.weight, mlp.c_proj.bias)
    else:
        # The factor goes into small quantities, never into a copy of a weight matrix.
        hidden = _norm(block.ln_2, x, _QUICK)
        hidden = _linear(hidden, mlp.c_fc.weight, mlp.c_fc.bias * _QUICK, "swish")
        x = _linear_plus(x * _QUICK, hidden, mlp.c_proj.weight, mlp.c_proj.bias * _QUICK)
        x = x.div_(_QUICK)
    return x.view(batch, length, width).transpose(0, 1)


def _norm(norm: nn.LayerNorm, x: Tensor, scale: float = 1.0) -> Tensor:
    weight, bias = norm.weight, norm.bias
    if scale != 1.0:
        weight, bias = weight * scale, bias * scale  # type: ignore[assignment]
    return F.layer_norm(x, norm.normalized_shape, weight, bias, norm.eps)


def _linear(x: Tensor, weight: Tensor, bias: Tensor, activation: str = "none") -> Tensor:
    return cast(
        Tensor, _onednn(x, weight, bias, activation, [], "none" if activation == "gelu" else "")
    )


def _linear_plus(residual: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return cast(Tensor, _onednn.binary(x, residual, weight, bias, "add"))


_has_global_hooks: Any = getattr(torch_module, "_has_any_global_hook", None)
_onednn: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


def _can_run() -> bool:
    """Whether this torch has the private parts that are used here."""
    try:
        zeros = torch.zeros(1, 1)
        _linear_plus(_linear(zeros, zeros, zeros[0], "swish"), zeros, zeros, zeros[0])
        torch.is_autocast_enabled("cpu")
        return bool(
            torch._C._get_mkldnn_enabled()
            and torch._C._len_torch_dispatch_stack() >= 0
            and torch._C._len_torch_function_stack() >= 0
            and hasattr(torch._C._functorch, "peek_interpreter_stack")
            and hasattr(forward_ad, "_current_level")
            and not _has_global_hooks()
        )
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False


_USABLE = not _SWITCHED_OFF and _can_run()
