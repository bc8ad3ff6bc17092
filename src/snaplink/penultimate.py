"""The features that the paper probes: of the vision tower, before its projection."""

from __future__ import annotations

import copy

from torch import nn

from .encoder import ClipEncoder, Encoder
from .errors import ArgumentError

__all__ = ["before_projection"]


def before_projection(encoder: Encoder) -> ClipEncoder:
    """An encoder with the same weights whose pictures' features are not projected.

    Appendix A.3 of the CLIP paper (Radford et al. 2021, arXiv 2103.00020) probes the features of
    its vision transformers before the linear projection, and those of its ResNets as they are.

    Raises:
        ArgumentError: the model has no such projection, or is packed so that it cannot be left out.
    """
    visual = getattr(getattr(encoder, "model", None), "visual", None)
    projection = getattr(visual, "proj", None)
    if not isinstance(encoder, ClipEncoder) or not isinstance(visual, nn.Module):
        raise ArgumentError(f"{encoder.name} has no vision tower to look into: {_OTHERWISE}")
    if projection is None or "proj" not in visual._parameters:
        reason = (
            "its vision tower is a ResNet, which has no projection to leave out"
            if hasattr(visual, "attnpool")
            else "this form of the model hides its projection (leave out --precision)"
        )
        raise ArgumentError(f"{encoder.name}: {reason}; or {_OTHERWISE}")
    tower, model = copy.copy(visual), copy.copy(encoder.model)
    # A shallow copy of a module shares the dictionaries that hold its parts.
    tower._parameters = {**visual._parameters, "proj": None}
    model._modules = {**encoder.model._modules, "visual": tower}
    inner = ClipEncoder(
        model,
        encoder.preprocess,
        encoder.name,
        encoder.batch_size,
        weights_sha256=encoder.weights_sha256(),
    )
    inner.dim = projection.shape[0]
    return inner


_OTHERWISE = "use --features embedding"
