"""CLIP: pictures and texts in one space. A drop-in for openai/CLIP's package.

>>> import clip
>>> model, preprocess = clip.load("tiny", device="cpu")
>>> clip.tokenize(["a cat", "a dog"]).shape
torch.Size([2, 77])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import clip as clip
from . import model as model
from . import simple_tokenizer as simple_tokenizer
from .clip import available_models, load, tokenize

if TYPE_CHECKING:
    from .optimized import optimize

__all__ = ["available_models", "load", "optimize", "tokenize"]


def __getattr__(name: str) -> object:
    if name == "optimize":  # imported when it is named: most callers never do
        from .optimized import optimize

        return optimize
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
