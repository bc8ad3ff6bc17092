"""Frozen encoders: a model's towers folded, fused and packed for inference.

`clip.optimize` is the door. `structure.py` says which models fit; `linears.py` has the packed
layers of each precision; `stack.py`, `vit.py`, `resnet.py` and `text.py` are towers made of
them, and `encoder.py` is both towers; `choice.py` and `memory.py` answer ``"auto"``;
`accelerator.py` is for CUDA and MPS.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from ..errors import OptimizeError
from . import choice, probes, structure
from .accelerator import AcceleratedCLIP
from .encoder import OptimizedCLIP
from .linears import kit_of

__all__ = ["AcceleratedCLIP", "OptimizedCLIP", "optimize"]

_AT_LEAST = {"fp32": 0.99999, "bf16": 0.995, "int8": 0.98}
"""Smallest cosine to the model's own features; below it something is wrong, not imprecise."""


def optimize(model: Any, precision: str = "auto") -> OptimizedCLIP | AcceleratedCLIP:
    """A frozen copy of a CLIP model, packed for inference, with the same encode methods.

    On a CPU: weights packed for oneDNN once, activation and residual fused, captions without
    padding, the last blocks only where they are read; both kinds of picture tower. On CUDA and MPS:
    a plain copy in half precision. What it returns has no gradients, keeps nothing of `model`,
    and can be shared by threads.

    Args:
        model: what `clip.load` returns, in eval mode, without hooks and replaced parts.
        precision: "fp32" is exact to float32's rounding; "bf16" and "int8" are faster where the
            processor has instructions for them; "auto" takes the fastest whose features keep a
            cosine of 0.999 here. It measures for a second or so, and remembers the answer beside
            the cached models.

    Raises:
        ValueError: there is no such precision.
        OptimizeError: the model is not as `clip.model` builds it, so packing would change it; or
            this computer cannot run the precision.

    >>> import clip
    >>> model, preprocess = clip.load("tiny", device="cpu")
    >>> fast = clip.optimize(model, "fp32")
    >>> fast.encode_text(clip.tokenize(["a cat"])).shape
    torch.Size([1, 128])
    """
    if precision not in ("auto", "fp32", "bf16", "int8"):
        raise ValueError(f"precision is {precision!r}: auto, fp32, bf16 or int8 expected")
    structure.check(model)
    if model.logit_scale.device.type != "cpu":
        return AcceleratedCLIP(model, precision)
    if precision == "auto":
        packed = choice.fastest(model, partial(_packed, model))
    else:
        packed = _packed(model, precision) or _refuse(precision)
    _compare(model, packed)
    return packed


def _packed(model: Any, precision: str) -> OptimizedCLIP | None:
    kit = kit_of(precision)
    return None if kit is None else OptimizedCLIP(model, precision, kit)


def _refuse(precision: str) -> OptimizedCLIP:
    raise OptimizeError(
        f"this torch cannot compute {precision} on this processor; "
        "fp32 works everywhere, and auto takes what is the fastest"
    )


def _compare(model: Any, packed: OptimizedCLIP) -> None:
    """Look at what comes out: a part that was changed unnoticed shows here."""
    image = probes.pictures(1, model.visual.input_resolution)
    text = probes.captions(2, model.context_length, model.vocab_size)
    pairs = zip(probes.both(packed, image, text), probes.both(model, image, text), strict=True)
    for pair in pairs:
        cosine = probes.cosine(*pair)
        if not cosine >= _AT_LEAST[packed.precision]:
            raise OptimizeError(
                f"packed for {packed.precision}, the model gives other features (cosine "
                f"{cosine:.4f}): it computes something that its layers do not say, or has "
                "weights that the precision cannot hold"
            )
