"""What every source is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from snaplink.errors import PictureError

from ..items import Item

__all__ = ["Columns", "Report", "Source"]

Report = Callable[[PictureError], object]
"""Told of each part of a source that could not be listed."""


@dataclass(frozen=True)
class Columns:
    """What to look for in tables.

    Attributes:
        picture: the column of paths, URLs or bytes; None is found by its name.
        text: the column of captions; None is found by its name.
        images, texts: whether a table must have the one and the other.
    """

    picture: str | None = None
    text: str | None = None
    images: bool = True
    texts: bool = False

    @property
    def given(self) -> tuple[str, ...]:
        return tuple(name for name in (self.picture, self.text) if name is not None)


class Source(ABC):
    """Something that gives items."""

    @abstractmethod
    def items(self, report: Report) -> Iterator[Item]:
        """List it, in an order that is always the same, without reading pictures of files."""

    def count(self) -> int | None:
        """How many items there are, if that is known soon: for the time left, no more."""
        return None

    def owns(self, key: str) -> bool:
        """Whether a row of this key came from here, so that it is gone if it is not listed."""
        return False
