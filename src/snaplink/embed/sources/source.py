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
    """Which columns of a table are what; None is found by name."""

    picture: str | None = None
    text: str | None = None


class Source(ABC):
    """Something that gives items."""

    @abstractmethod
    def items(self, report: Report) -> Iterator[Item]:
        """List it, in an order that is always the same, without reading pictures."""

    def owns(self, key: str) -> bool:
        """Whether a row of this key came from here, so that it is gone if it is not listed."""
        return False
