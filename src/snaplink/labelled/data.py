"""What labelled data are, whatever they are read from."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PIL import Image

from snaplink import images
from snaplink.errors import ArgumentError, PictureError

if TYPE_CHECKING:
    import numpy as np

    from snaplink.fingerprint import Fingerprint

__all__ = ["Labelled", "Sample", "Source", "Stored", "Task"]

Task = Literal["classification", "multilabel", "retrieval"]
"""One label a picture, any number of labels, or captions."""

Source = Path | Callable[[], bytes | Image.Image]
"""A picture's file, or a call that gives its encoded bytes or the picture itself. Thread-safe."""


@dataclass(frozen=True)
class Sample:
    """A picture with what is true of it.

    Attributes:
        key: its name, unique among its data: the same on every machine that has the data.
        source: where the picture is; None where only its features are kept.
        labels: positions in `Labelled.class_names`: one for classification, any number for
            multi-label data, none for retrieval.
        captions: for retrieval, at least one.
    """

    key: str
    source: Source | None
    labels: tuple[int, ...] = ()
    captions: tuple[str, ...] = ()

    def picture(self, *, upright: bool = False) -> Image.Image:
        """The decoded picture.

        Raises:
            PictureError: it cannot be used; see `snaplink.images.decode`.
        """
        if self.source is None:
            raise PictureError(self.key, "its file is not known, only its features are")
        if isinstance(self.source, Path):
            return images.decode(self.source, upright=upright)
        content = self.source()
        if isinstance(content, Image.Image):
            return content
        return images.decode(content, upright=upright, name=self.key)


@dataclass(frozen=True)
class Stored:
    """Features that were kept by `snaplink embed`, so that no picture is read again.

    Attributes:
        fingerprint: the model and the preprocessing that made them.
        matrix: reads them: float32 ``[n, dim]``, a row a sample.
    """

    fingerprint: Fingerprint
    matrix: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Labelled:
    """A set of pictures with their labels or captions.

    Attributes:
        name: what it is called in results, such as the name of its folder.
        task: what can be asked of it.
        samples: pictures in the order of the data; nothing is decoded yet.
        class_names: what the classes are called; empty for retrieval.
        synonyms: what goes into the prompts of each class: its name, or several names whose
            prompts are averaged.
        templates: the prompts that came with the data, empty where none did.
        stored: the features, where the data are a store.
    """

    name: str
    task: Task
    samples: Sequence[Sample]
    class_names: tuple[str, ...] = ()
    synonyms: tuple[tuple[str, ...], ...] = ()
    templates: tuple[str, ...] = ()
    stored: Stored | None = None

    def __post_init__(self) -> None:
        if not self.samples:
            raise ArgumentError(f"{self.name}: no labelled picture in it")
        twice = [key for key, count in Counter(s.key for s in self.samples).items() if count > 1]
        if twice:
            raise ArgumentError(f"{self.name}: {os.fspath(twice[0])!r} is there more than once")

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many pictures each class has."""
        found = Counter(label for sample in self.samples for label in sample.labels)
        return tuple(found[index] for index in range(len(self.class_names)))
