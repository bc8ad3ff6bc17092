"""The faster equal of the transformers, for float32 inference on a CPU.

`model.py` asks here first. The plain modules are what callers see, hook, replace and differentiate,
so the fast route is taken only where nobody could tell; else None says that they must run. It
reads the modules' own weights at every call and keeps no copy of them.

Why it is faster: oneDNN's matrix products in place of MKL's, with the activation and the residual
applied while the result is at hand; texts of any lengths laid end to end, without the positions
behind their ends, which a causal tower cannot see; and in the last block only the places whose
features are read. `docs/performance.md` has the figures; CLIP_PLAIN=1 switches the route off.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules import module as torch_module

__all__ = ["Originals", "first_places", "residual_attention_block", "text_ends"]

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
        classes: tuple[Any, ...] = (
            *(block, norm, quick_gelu, stack, nn.Embedding, nn.GELU, nn.Linear),
            *(nn.MultiheadAttention, nn.Sequential),
        )
        methods: tuple[tuple[Any, str], ...] = (
            *((each, name) for each in classes for name in ("__call__", "_call_impl", "forward")),
            *((block, "attention"), (torch, "sigmoid"), (F, "gelu")),
            *((F, "linear"), (F, "layer_norm"), (F, "embedding"), (F, "_in_projection_packed")),
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
    length, batch, width = x.shape
    mask = block.attn_mask
    if mask is not None:
        mask = mask[:length, :length].to(x.dtype)
        if mask.shape != (length, length):  # the kernel would repeat a mask of one row
            return None

    def run() -> Tensor:
        rows = x.transpose(0, 1).reshape(batch * length, width)
        rows = _block(block, rows, [(batch, length)], mask)
        return rows.view(batch, length, width).transpose(0, 1)

    return _unless_refused(run)


def first_places(stack: Any, x: Tensor, originals: Originals) -> Tensor | None:
    """What a `Transformer` without a mask gives at the first place of each sequence.

    Args:
        stack: the `Transformer`.
        x: [N, L, D].
        originals: the classes that it must be made of.

    Returns:
        [N, D], or None where the plain modules must run.
    """
    if not (_nobody_watches(originals) and _suits(x)):
        return None
    blocks = _plain_blocks(stack, originals)
    if blocks is None or any(block.attn_mask is not None for block in blocks):
        return None
    batch, length, width = x.shape
    first = torch.arange(0, batch * length, length)
    rows = x.reshape(batch * length, width)
    return _unless_refused(lambda: _stack(blocks, rows, [(batch, length)], None, first))


def text_ends(model: Any, text: Tensor, originals: Originals) -> Tensor | None:
    """What the text tower's blocks give at the end of each text, its highest token id.

    Args:
        model: a `CLIP`.
        text: token ids [N, L].
        originals: the classes that its tower must be made of.

    Returns:
        [N, D] for `ln_final`, or None where the plain modules must run.
    """
    if not (_nobody_watches(originals) and _are_ids(text)):
        return None
    blocks = _plain_blocks(model.transformer, originals)
    if not (
        blocks
        and _is_exactly(model.token_embedding, nn.Embedding)
        and _is_exactly(model.ln_final, originals.norm)
        and _is_plain_tensor(model.token_embedding.weight)
        and _is_plain_tensor(model.positional_embedding)
        and model.dtype is torch.float32
        and model.positional_embedding.dim() == 2
        and text.shape[1] <= len(model.positional_embedding)
        and _all_causal(blocks, text.shape[1])
    ):
        return None
    lengths, order = (text.argmax(dim=-1) + 1).sort(stable=True)
    used = torch.arange(text.shape[1]) < lengths[:, None]
    places = used.nonzero()[:, 1]
    rows = model.token_embedding(text[order][used]) + model.positional_embedding[places]
    groups = [
        (count, length) for length, count in enumerate(torch.bincount(lengths).tolist()) if count
    ]
    ends = lengths.cumsum(0) - 1
    mask = blocks[0].attn_mask

    def run() -> Tensor:
        return _stack(blocks, rows, groups, mask.to(rows.dtype), ends)[order.argsort()]

    return _unless_refused(run)


def _unless_refused(run: Callable[[], Tensor]) -> Tensor | None:
    try:
        return run()
    except (RuntimeError, NotImplementedError):  # oneDNN refuses: the plain path may know better
        return None


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
        type(x) is Tensor
        and x.dtype is torch.float32
        and x.device.type == "cpu"
        and x.dim() == 3
        and x.numel() > 0
    )


def _are_ids(text: Tensor) -> bool:
    return (
        type(text) is Tensor
        and text.dtype in (torch.int32, torch.int64)
        and text.device.type == "cpu"
        and text.dim() == 2
        and text.numel() > 0
        and bool(text.min() >= 0)  # one that is no id must be refused behind the end, too
    )


def _plain_blocks(stack: Any, originals: Originals) -> list[Any] | None:
    """The blocks of a `Transformer` as the constructor made it."""
    if not (_is_exactly(stack, originals.stack) and _is_exactly(stack.resblocks, nn.Sequential)):
        return None
    blocks = list(stack.resblocks._modules.values())
    return blocks if blocks and all(_is_plain(block, originals) for block in blocks) else None


def _is_plain(block: Any, originals: Originals) -> bool:
    """A block as the constructor made it: exact classes, no hooks, float32 weights on the CPU.

    It reads `_modules` and `_parameters`, as attributes of a module take ten times as long.
    """
    if not (_is_exactly(block, originals.block) and "attention" not in block.__dict__):
        return False
    parts = block._modules
    attn, mlp, mask = parts.get("attn"), parts.get("mlp"), block.attn_mask
    if not (_is_exactly(attn, nn.MultiheadAttention) and _is_exactly(mlp, nn.Sequential)):
        return False
    ln_1, ln_2 = parts.get("ln_1"), parts.get("ln_2")
    out_proj, inner = attn._modules["out_proj"], mlp._modules
    c_fc, c_proj = inner.get("c_fc"), inner.get("c_proj")
    return (
        list(inner) == ["c_fc", "gelu", "c_proj"]
        and attn._qkv_same_embed_dim
        and not (attn.batch_first or attn.add_zero_attn or attn.dropout)
        and attn.bias_k is None
        and attn.bias_v is None
        and (mask is None or (type(mask) is Tensor and mask.dim() == 2))
        and _is_exactly(ln_1, originals.norm)
        and _is_exactly(ln_2, originals.norm)
        and _is_exactly(out_proj, _OUT_PROJ)
        and _is_exactly(c_fc, nn.Linear)
        and _is_exactly(c_proj, nn.Linear)
        and _is_activation(inner["gelu"], originals)
        and _has_plain(attn, "in_proj_weight", "in_proj_bias")
        and _has_plain(ln_1)
        and _has_plain(ln_2)
        and _has_plain(out_proj)
        and _has_plain(c_fc)
        and _has_plain(c_proj)
    )


_OUT_PROJ = nn.modules.linear.NonDynamicallyQuantizableLinear
_TENSORS = (Tensor, nn.Parameter)
_FLOAT32, _STRIDED = torch.float32, torch.strided


def _is_exactly(module: Any, kind: type[Any]) -> bool:
    """Of this very class, with no hooks, no forward of its own, and not compiled in place."""
    if type(module) is not kind:
        return False
    own = module.__dict__
    return not (
        "forward" in own
        or "_call_impl" in own
        or "_compiled_call_impl" in own
        or "_wrapped_call_impl" in own
        or own["_forward_hooks"]
        or own["_forward_pre_hooks"]
        or own["_backward_hooks"]
        or own["_backward_pre_hooks"]
    )


def _is_activation(module: Any, originals: Originals) -> bool:
    if _is_exactly(module, nn.GELU):
        return bool(module.approximate == "none")
    return _is_exactly(module, originals.quick_gelu)


def _has_plain(module: Any, weight: str = "weight", bias: str = "bias") -> bool:
    own = module._parameters
    return _is_plain_tensor(own.get(weight)) and _is_plain_tensor(own.get(bias))


def _is_plain_tensor(weight: Any) -> bool:
    return (
        type(weight) in _TENSORS
        and weight.dtype is _FLOAT32
        and weight.is_cpu
        and weight.layout is _STRIDED
        and weight.is_contiguous()
    )


def _all_causal(blocks: Iterable[Any], length: int) -> bool:
    masks = {id(block.attn_mask): block.attn_mask for block in blocks}
    return all(
        type(mask) is Tensor and torch.equal(mask[:length, :length].float(), _causal(length))
        for mask in masks.values()
    )


@lru_cache(maxsize=8)
def _causal(length: int) -> Tensor:
    return torch.full((length, length), float("-inf"), dtype=torch.float32).triu_(1)


_Groups = Sequence[tuple[int, int]]
"""Sequences laid end to end in rows [T, D]: so many of this length, then so many of that."""


def _stack(
    blocks: Sequence[Any], x: Tensor, groups: _Groups, mask: Tensor | None, ends: Tensor
) -> Tensor:
    """The blocks on rows x [T, D]; of the result only the rows `ends`, one a sequence: [N, D]."""
    *body, last = blocks
    for block in body:
        x = _block(block, x, groups, mask)
    return _block(last, x, groups, None, ends)


def _block(
    block: Any, x: Tensor, groups: _Groups, mask: Tensor | None, ends: Tensor | None = None
) -> Tensor:
    """A block on rows x [T, D]; with `ends`, for these rows only, which see their whole text."""
    attn = block.attn
    weight, bias, width = attn.in_proj_weight, attn.in_proj_bias, x.shape[1]
    seen = _norm(block.ln_1, x)
    if ends is None:
        q, k, v = _linear(seen, weight, bias).chunk(3, dim=1)
    else:
        k, v = _linear(seen, weight[width:], bias[width:]).chunk(2, dim=1)
        q = _linear(seen[ends], weight[:width], bias[:width])
        x = x[ends]
    mixed = _attention(q, k, v, attn.num_heads, groups, mask)
    return _mlp(block, _linear_plus(x, mixed, attn.out_proj.weight, attn.out_proj.bias))


def _attention(
    q: Tensor, k: Tensor, v: Tensor, heads: int, groups: _Groups, mask: Tensor | None
) -> Tensor:
    """Each sequence attends to itself: rows q [T or N, D] over rows k, v [T, D]."""
    one_each = len(q) < len(k)  # a query a sequence, else one a row
    mixed = []
    asked = known = 0
    for count, length in groups:
        queries = 1 if one_each else length
        rows = slice(known, known + count * length)
        seen = F.scaled_dot_product_attention(
            _by_head(q[asked : asked + count * queries], count, heads),
            _by_head(k[rows], count, heads),
            _by_head(v[rows], count, heads),
            attn_mask=None if mask is None else mask[:length, :length],
        )  # [count, heads, queries, D / heads]
        mixed.append(seen.transpose(1, 2).reshape(count * queries, -1))
        asked += count * queries
        known = rows.stop
    return torch.cat(mixed) if len(mixed) > 1 else mixed[0]


def _by_head(rows: Tensor, count: int, heads: int) -> Tensor:
    """Rows [count * L, D] as [count, heads, L, D / heads]."""
    length, width = len(rows) // count, rows.shape[1]
    return rows.view(count, length, heads, width // heads).transpose(1, 2)


def _mlp(block: Any, x: Tensor) -> Tensor:
    mlp = block.mlp
    if type(mlp.gelu) is nn.GELU:
        hidden = _linear(_norm(block.ln_2, x), mlp.c_fc.weight, mlp.c_fc.bias, "gelu")
        return _linear_plus(x, hidden, mlp.c_proj.weight, mlp.c_proj.bias)
    # The factor goes into small quantities, never into a copy of a weight matrix.
    hidden = _norm(block.ln_2, x, _QUICK)
    hidden = _linear(hidden, mlp.c_fc.weight, mlp.c_fc.bias * _QUICK, "swish")
    x = _linear_plus(x * _QUICK, hidden, mlp.c_proj.weight, mlp.c_proj.bias * _QUICK)
    return x.div_(_QUICK)


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
        zeros = torch.zeros(1, 1, dtype=torch.float32, device="cpu")
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
