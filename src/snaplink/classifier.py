"""What any classifier of pictures does: decode, encode in batches, rank the labels."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import torch
from PIL import Image
from torch import Tensor

from . import images
from .encoder import Encoder
from .errors import ArgumentError
from .prediction import Prediction, Score

__all__ = ["Classifier", "Picture", "Prediction", "Score"]

Picture = str | os.PathLike[str] | Image.Image | Tensor
"""A path, a PIL picture, or what the model's preprocess made of one: ``[3, side, side]``."""


class Classifier(ABC):
    """Chooses among labels for any picture.

    Attributes:
        labels: what it chooses from.
        encoder: what turns pictures into features.
        upright: turn pictures read from files as their EXIF orientation says.
    """

    labels: Sequence[str]
    encoder: Encoder
    upright: bool

    @abstractmethod
    def probabilities(self, features: Tensor) -> Tensor:
        """Pictures' features, raw, to ``[n, labels]``, each row adding up to 1."""

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
            rows = self.probabilities(features)
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
