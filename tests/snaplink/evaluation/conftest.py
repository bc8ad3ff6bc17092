"""Data whose features are known: pictures of colours, and an encoder that sees colours."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from snaplink.fake_encoder import FakeEncoder
from snaplink.labelled import Labelled, Sample

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


class ColourEncoder(FakeEncoder):
    """A picture's feature is its mean colour, a text's that of the colour that it names."""

    def __init__(self) -> None:
        super().__init__(dim=3)
        self.logit_scale = 10.0

    def _pictures(self, pixels):
        return pixels.float().mean((2, 3))

    def _texts(self, texts, truncate=False):
        return torch.stack([self._colour(text) for text in texts])

    def _colour(self, text):
        for name, colour in COLOURS.items():
            if name in text:
                return torch.tensor(colour) / 255
        return torch.ones(3)


@pytest.fixture
def encoder():
    return ColourEncoder()


def picture(colour):
    return lambda: Image.new("RGB", (8, 8), colour)


@pytest.fixture
def data():
    """Six pictures; one green one is labelled red."""
    shades = [("red", 0), ("maroon", 0), ("green", 0), ("lime", 1), ("blue", 2), ("navy", 2)]
    samples = [Sample(f"{name}.png", picture(name), (label,)) for name, label in shades]
    names = tuple(COLOURS)
    return Labelled("colours", "classification", samples, names, tuple((n,) for n in names))
