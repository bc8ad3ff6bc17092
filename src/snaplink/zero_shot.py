"""Zero-shot classification: which of some labels, given as words, fits a picture best."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from PIL import Image
from torch import Tensor

import clip

from .classifier import Classifier, Picture, Prediction, Score
from .encoder import ClipEncoder, Encoder, load_encoder
from .prompts import DEFAULT_TEMPLATES, check_labels, check_templates, class_weights

__all__ = ["Picture", "Prediction", "Score", "ZeroShotClassifier", "probabilities"]

LoadedModel = tuple[clip.model.CLIP, Callable[[Image.Image], Tensor]]
"""What `clip.load` gives."""


def probabilities(features: Tensor, weights: Tensor, logit_scale: float) -> Tensor:
    """The softmax over labels of scaled cosines, as in section 3.1.2 of the paper.

    Args:
        features: pictures' features ``[n, dim]``, of any length.
        weights: one unit vector a label, ``[labels, dim]``.
        logit_scale: what the cosines are multiplied by.

    Returns:
        ``[n, labels]``, each row adding up to 1.
    """
    return (logit_scale * F.normalize(features, dim=-1) @ weights.T).softmax(-1)


class ZeroShotClassifier(Classifier):
    """Chooses among labels for any picture; the labels' prompts are encoded once.

    Args:
        model: a name or path as `clip.load` takes it, what `clip.load` returned, or an `Encoder`.
        labels: at least two, all different.
        templates: prompts with ``{}`` or ``{c}`` where a label goes; of several, the mean is used.
        device: where a model given by name runs; by default CUDA where there is any, else CPU.
        precision: what a model given by name runs in (see `snaplink.load_encoder`); None is exact.
        upright: turn pictures read from files as their EXIF orientation says (see
            `snaplink.images.decode`).

    Raises:
        ArgumentError: labels, templates or device cannot be used.
        clip.errors.ClipError: the model cannot be loaded, or a prompt is too long for it.

    >>> from snaplink.fake_encoder import FakeEncoder
    >>> classifier = ZeroShotClassifier(FakeEncoder(), ["cat", "dog"])
    >>> prediction = classifier(Image.new("RGB", (64, 64), "red"))
    >>> len(prediction.scores), prediction.score >= 0.5
    (2, True)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | LoadedModel | Encoder,
        labels: Sequence[str],
        templates: Sequence[str] = DEFAULT_TEMPLATES,
        *,
        device: str | torch.device | None = None,
        precision: str | None = None,
        upright: bool = False,
    ) -> None:
        self.labels = check_labels(labels)
        self.templates = check_templates(templates)
        self.upright = upright
        self.encoder = _encoder(model, device, precision)
        self.weights = class_weights(self.labels, self.templates, self.encoder.encode_texts)

    def probabilities(self, features: Tensor) -> Tensor:
        return probabilities(features, self.weights, self.encoder.logit_scale)


def _encoder(
    model: str | os.PathLike[str] | LoadedModel | Encoder,
    device: str | torch.device | None,
    precision: str | None,
) -> Encoder:
    if isinstance(model, Encoder):
        return model
    if isinstance(model, tuple):
        return ClipEncoder(*model)
    return load_encoder(model, device, precision)
