"""Labelled pictures as examples to learn from: their features, and labels counted by one list."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from . import images, labelled
from .errors import ArgumentError
from .evaluation.protocol import Prompts, Templates, prompts
from .fewshot import ZeroShot
from .fingerprint import fingerprint
from .head import FeatureKind, Head, feature_encoder
from .labelled import Features, Labelled
from .prompts import prompt_weights

if TYPE_CHECKING:
    from .encoder import Encoder

__all__ = ["device_of", "encode", "in_words", "labels_among", "zero_shot_head"]

_SHOWN = 3


def encode(
    data: Labelled,
    encoder: Encoder,
    kind: FeatureKind = "embedding",
    *,
    upright: bool = False,
    on_bad: images.OnBad = images.raise_error,
    watch: Callable[[Iterator[int]], Iterator[int]] = iter,
) -> Features:
    """The features of labelled pictures, of either kind.

    Args:
        data: with one label a picture.
        encoder: the model.
        kind: "embedding" or "pre-projection", see `snaplink.head.Head`.
        upright, on_bad, watch: as for `snaplink.labelled.features`.

    Raises:
        ArgumentError: the data have captions, or several labels a picture; or see
            `snaplink.labelled.features`.
    """
    if data.task != "classification":
        found = "captions" if data.task == "retrieval" else "several labels a picture"
        raise ArgumentError(f"{data.name} has {found}: to learn classes takes one label a picture")
    inner = feature_encoder(encoder, kind)
    return labelled.features(
        data,
        encoder,
        encode=None if inner is encoder else inner.encode_pixels,
        upright=upright,
        on_bad=on_bad,
        watch=watch,
    )


def labels_among(
    found: Features, class_names: Sequence[str], name: str, *, none: Collection[str] = ()
) -> Tensor:
    """Labels as positions in a list of classes, whatever list the data themselves have.

    Args:
        found: features with labels of their own list.
        class_names: the list to count by; capitals do not matter.
        name: what the data are called, for messages.
        none: classes of the data that are none of the list: their pictures get -1.

    Returns:
        int64 ``[n]``.

    Raises:
        ArgumentError: the data have pictures of other classes.
    """
    places = {each.casefold(): index for index, each in enumerate(class_names)}
    places |= {each.casefold(): -1 for each in none}
    wanted = [places.get(each.casefold()) for each in found.class_names]
    used = set(found.labels.tolist())
    unknown = [
        each
        for index, (each, place) in enumerate(zip(found.class_names, wanted, strict=True))
        if place is None and index in used
    ]
    if unknown:
        raise ArgumentError(
            f"{name} has pictures of {_some(unknown)}, but the classes are {_some(class_names)}: "
            "rename or remove them, or learn from pictures of these, too"
        )
    table = torch.tensor([-1 if place is None else place for place in wanted])
    return table[found.labels]


def in_words(told: Prompts, encoder: Encoder) -> ZeroShot:
    """The classes by their prompts, as the model's text tower reads them."""
    return ZeroShot(prompt_weights(told.of_classes, encoder.encode_texts), encoder.logit_scale)


def zero_shot_head(
    data: Labelled,
    encoder: Encoder,
    *,
    templates: Templates | None = None,
    origin: str = "",
    none: Collection[str] = (),
    upright: bool = False,
) -> Head:
    """The classes of the data in words, as a head that can be calibrated and kept.

    Args:
        data: whose classes they are.
        encoder: the model that reads the prompts.
        templates, origin: see `snaplink.evaluation.protocol.prompts`.
        none: classes of the data to leave out.
        upright: whether pictures will be turned as their EXIF orientation says.

    Raises:
        ArgumentError: one of `none` is no class of the data, or fewer than two are left.
    """
    out = {each.casefold() for each in none}
    kept = [i for i, name in enumerate(data.class_names) if name.casefold() not in out]
    if len(data.class_names) - len(kept) < len(out):
        known = {name.casefold() for name in data.class_names}
        strange = next(each for each in none if each.casefold() not in known)
        raise ArgumentError(
            f"{data.name} has no class {strange!r} to leave out, but {_some(data.class_names)}"
        )
    if len(kept) < 2:
        raise ArgumentError(f"{data.name} has only one class to tell apart: two are needed")
    chosen = replace(
        data,
        class_names=tuple(data.class_names[i] for i in kept),
        synonyms=tuple(data.synonyms[i] for i in kept),
    )
    told = prompts(chosen, templates, origin)
    words = in_words(told, encoder)
    return Head(
        words.scale * words.weights,
        torch.zeros(len(kept)),
        chosen.class_names,
        "zero-shot",
        "embedding",
        normalized=True,
        fingerprint=fingerprint(encoder, upright=upright, normalized=False, bulk=False),
        recipe={
            "prompts": told.count,
            "prompts_sha256": told.sha256,
            "prompts_origin": told.origin,
            "templates": list(told.templates),
        },
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def device_of(encoder: Encoder) -> torch.device:
    """Where the model runs, and so where to learn: the CPU for an encoder without a model."""
    scale = getattr(getattr(encoder, "model", None), "logit_scale", None)
    return scale.device if isinstance(scale, Tensor) else torch.device("cpu")
