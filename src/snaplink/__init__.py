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
    from .client import AsyncClient, Client
    from .encoder import Encoder, load_encoder
    from .errors import ArgumentError, ForeignClipError, PictureError, ServerError, SnaplinkError
    from .prediction import Prediction, Score
    from .zero_shot import ZeroShotClassifier

__all__ = [
    "ArgumentError",
    "AsyncClient",
    "Client",
    "Encoder",
    "ForeignClipError",
    "PictureError",
    "Prediction",
    "Score",
    "ServerError",
    "SnaplinkError",
    "ZeroShotClassifier",
    "load_encoder",
]

_ROOMS = {
    "client": ("AsyncClient", "Client"),
    "errors": (
        "ArgumentError",
        "ForeignClipError",
        "PictureError",
        "ServerError",
        "SnaplinkError",
    ),
    "encoder": ("Encoder", "load_encoder"),
    "prediction": ("Prediction", "Score"),
    "zero_shot": ("ZeroShotClassifier",),
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
