"""CLIP at work: classify pictures with words. The models themselves are in the package `clip`.

    from snaplink import ZeroShotClassifier

    classifier = ZeroShotClassifier("tiny", ["cat", "dog", "red apple"])
    classifier("apple.png").label

Importing `snaplink` is instant: what you name is imported when you name it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .encoder import Encoder, load_encoder
    from .errors import ArgumentError, ForeignClipError, PictureError, SnaplinkError
    from .zero_shot import Prediction, Score, ZeroShotClassifier

__all__ = [
    "ArgumentError",
    "Encoder",
    "ForeignClipError",
    "PictureError",
    "Prediction",
    "Score",
    "SnaplinkError",
    "ZeroShotClassifier",
    "load_encoder",
]

_ROOMS = {
    "errors": ("ArgumentError", "ForeignClipError", "PictureError", "SnaplinkError"),
    "encoder": ("Encoder", "load_encoder"),
    "zero_shot": ("Prediction", "Score", "ZeroShotClassifier"),
}


def __getattr__(name: str) -> object:
    for room, names in _ROOMS.items():
        if name in names:
            from . import own_clip

            own_clip.check()
            return getattr(import_module(f".{room}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
