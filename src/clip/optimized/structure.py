"""Which models can be packed: those that compute what the classes of `clip.model` compute."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .. import model as towers
from ..errors import OptimizeError

__all__ = ["check"]

_OUT_PROJ = nn.modules.linear.NonDynamicallyQuantizableLinear
_CLASSES = {
    *(towers.CLIP, towers.VisionTransformer, towers.Transformer, towers.ResidualAttentionBlock),
    *(towers.ModifiedResNet, towers.Bottleneck, towers.AttentionPool2d),
    *(towers.LayerNorm, towers.QuickGELU, nn.GELU, nn.Sequential, nn.MultiheadAttention),
    *(_OUT_PROJ, nn.Linear, nn.Embedding, nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.AvgPool2d),
    nn.Identity,
}
_METHODS = ("forward", "attention", "encode_image", "encode_text")
_HOOKS = ("_forward_hooks", "_forward_pre_hooks")


def check(model: Any) -> None:
    """Refuse what packing would change silently.

    Raises:
        OptimizeError: it names the first part that is not the original's.
    """
    if type(model) is not towers.CLIP:
        kind = f"{type(model).__module__}.{type(model).__qualname__}"
        raise OptimizeError(f"{kind} is not a model that clip.load returns (without jit=True)")
    if model.training:
        raise OptimizeError("the model is in training mode: call model.eval() first")
    if not (towers.is_original() and towers._ORIGINALS.unchanged()):
        raise OptimizeError("a class or a function of clip.model has been replaced")
    if model.text_projection is None:
        raise OptimizeError("text_projection is None, so the model itself encodes no text")
    for name, module in model.named_modules():
        _check_module(name or "the model", module)
    _check_blocks("transformer", model.transformer, causal=True)
    if isinstance(model.visual, towers.VisionTransformer):
        _check_blocks("visual.transformer", model.visual.transformer, causal=False)
    elif type(model.visual) is not towers.ModifiedResNet:
        raise OptimizeError(f"visual is a {type(model.visual).__name__}, no tower of clip.model")
    for name, module in model.visual.named_modules():
        if isinstance(module, nn.Conv2d) and not _is_usual_convolution(module):
            raise OptimizeError(f"visual.{name} has other strides or padding than clip.model gives")


def _check_module(name: str, module: nn.Module) -> None:
    if type(module) not in _CLASSES:
        raise OptimizeError(f"{name} is a {type(module).__name__}, not a layer of clip.model")
    if any(getattr(module, hooks) for hooks in _HOOKS):
        raise OptimizeError(f"{name} has a forward hook, which would never be called")
    if replaced := [method for method in _METHODS if method in vars(module)]:
        raise OptimizeError(f"{name}.{replaced[0]} has been replaced")
    tensors = (*module.parameters(recurse=False), *module.buffers(recurse=False))
    if not all(type(tensor) in (Tensor, nn.Parameter) for tensor in tensors):
        raise OptimizeError(f"a weight of {name} is of a class of its own")


def _check_blocks(name: str, transformer: Any, *, causal: bool) -> None:
    for number, block in enumerate(transformer.resblocks):
        attn = block.attn
        plain = (
            type(block) is towers.ResidualAttentionBlock
            and list(block.mlp._modules) == ["c_fc", "gelu", "c_proj"]
            and type(block.mlp.gelu) in (towers.QuickGELU, nn.GELU)
            and getattr(block.mlp.gelu, "approximate", "none") == "none"
            and attn._qkv_same_embed_dim
            and attn.bias_k is None
            and not (attn.batch_first or attn.add_zero_attn)
        )
        if not plain:
            raise OptimizeError(f"{name}.resblocks.{number} is not built as clip.model builds it")
        if not _is_usual(block.attn_mask, causal):
            raise OptimizeError(f"{name}.resblocks.{number}.attn_mask is not the original's")


def _is_usual_convolution(convolution: nn.Conv2d) -> bool:
    side, stride, padding = convolution.kernel_size[0], convolution.stride, convolution.padding
    usual = [((side, side), (0, 0))]  # patches
    if side in (1, 3):
        same = (side // 2, side // 2)
        usual += [((1, 1), same), ((2, 2), same)]
    return (
        (stride, padding) in usual
        and convolution.padding_mode == "zeros"
        and convolution.groups == 1
        and set(convolution.dilation) == {1}
        and convolution.bias is None
    )


def _is_usual(mask: Any, causal: bool) -> bool:
    if not causal or mask is None:
        return mask is None and not causal
    usual = torch.full(mask.shape, float("-inf"), device=mask.device).triu_(1)
    return torch.equal(mask.float(), usual)
