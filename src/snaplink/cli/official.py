"""Which of the official models a verb is to work on, and how their sizes are said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from snaplink.errors import ArgumentError

if TYPE_CHECKING:
    from clip.registry import OfficialModel

__all__ = ["chosen", "megabytes"]


def chosen(names: Iterable[str]) -> list[OfficialModel]:
    """The official models of these names, in any spelling that `clip.load` knows.

    Raises:
        ArgumentError: a name is not official.
    """
    from clip.registry import OFFICIAL, official_name

    models = []
    for name in names:
        official = official_name(name)
        if official is None:
            why = "tiny is built in" if name == "tiny" else f"{name!r} is no official model"
            raise ArgumentError(f"{why}: name some of {', '.join(OFFICIAL)}")
        models.append(OFFICIAL[official])
    return models


def megabytes(nbytes: int) -> str:
    """A size as people read it.

    >>> megabytes(353976522), megabytes(3700000)
    ('354 MB', '3.7 MB')
    """
    return f"{nbytes / 1e6:.0f} MB" if nbytes >= 1e7 else f"{nbytes / 1e6:.1f} MB"
