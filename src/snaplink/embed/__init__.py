"""From pictures, however many, to a store of embeddings.

    from snaplink.embed import Models, embed

    embed(["photos/"], "photos.store", Models("ViT-B/32"))

Whatever stops it, the same call goes on where it ended: docs/embedding.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .job import Job, embed
    from .models import Models
    from .sources import Columns
    from .summary import Summary

__all__ = ["Columns", "Job", "Models", "Summary", "embed"]

_ROOMS = {
    "Columns": "sources",
    "Job": "job",
    "Models": "models",
    "Summary": "summary",
    "embed": "job",
}


def __getattr__(name: str) -> object:
    """The processes that decode import this package, too, and need none of these."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module("snaplink.store")  # says it if pyarrow is missing
    return getattr(import_module(f".{_ROOMS[name]}", __name__), name)
