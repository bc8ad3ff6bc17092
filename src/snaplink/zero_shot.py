"""Zero-shot classification: which of some labels, given as words, fits a picture best."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from PIL import Image
from torch import Tensor

import clip

from . import images
from .encoder import ClipEncoder, Encoder, load_encoder
from .errors import ArgumentError
from .prompts import DEFAULT_TEMPLATES, check_labels, check_templates, class_weights

__all__ = ["Picture", "Prediction", "Score", "ZeroShotClassifier", "probabilities"]

Picture = str | os.PathLike[str] | Image.Image | Tensor
"""A path, a PIL picture, or what the model's preprocess made of one: ``[3, side, side]``."""

LoadedModel = tuple[clip.model.CLIP, Callable[[Image.Image], Tensor]]
"""What `clip.load` gives."""

Item = TypeVar("Item")


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


@dataclass(frozen=True)
class Score:
    """A label and the probability, from 0 to 1, that it fits better than the others."""

    label: str
    score: float


@dataclass(frozen=True)
class Prediction:
    """What was found in a picture.

    Attributes:
        picture: its path; None for a picture that came without one.
        scores: every label, the best first.
    """

    picture: str | None
    scores: tuple[Score, ...]

    @property
    def label(self) -> str:
        """The best label."""
        return self.scores[0].label

    @property
    def score(self) -> float:
        """The best label's probability."""
        return self.scores[0].score


class ZeroShotClassifier:
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

    def __call__(self, picture: Picture) -> Prediction:
        """Classify one picture.

        Raises:
            PictureError: the file cannot be used.
        """
        return next(self.stream([picture]))

    def stream(
        self, pictures: Iterable[Picture], on_bad: images.OnBad = images.raise_error
    ) -> Iterator[Prediction]:
        """Classify pictures in their order, in bounded memory: decoded by threads, in batches.

        Args:
            pictures: may be endless.
            on_bad: called with the `PictureError` of each picture that cannot be used, which is
                then left out; by default it is raised.
        """
        prepared = images.prepared(pictures, self._pixels, on_bad)
        while batch := list(islice(prepared, self.encoder.batch_size)):
            features = self.encoder.encode_pixels(torch.stack([pixels for _, pixels in batch]))
            rows = probabilities(features, self.weights, self.encoder.logit_scale)
            for (picture, _), row in zip(batch, rows, strict=True):
                yield self._prediction(picture, row)

    def _pixels(self, picture: Picture) -> Tensor:
        if isinstance(picture, Tensor):
            side = self.encoder.resolution
            if picture.shape != (3, side, side):
                raise ArgumentError(
                    f"a picture given as a tensor has shape {list(picture.shape)}: "
                    f"what the model's preprocess returns has [3, {side}, {side}]"
                )
            return picture.float()
        if not isinstance(picture, Image.Image):
            picture = images.decode(picture, upright=self.upright)
        return self.encoder.pixels(picture)

    def _prediction(self, picture: Picture, row: Tensor) -> Prediction:
        path = None if isinstance(picture, Image.Image | Tensor) else os.fspath(picture)
        scores, order = row.sort(descending=True, stable=True)
        pairs = zip(order.tolist(), scores.tolist(), strict=True)
        return Prediction(path, tuple(Score(self.labels[index], score) for index, score in pairs))


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
