"""What is still to do: a listing compared with what the store has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from snaplink.errors import PictureError, SnaplinkError

from .items import MISSING, Item, Stamped
from .sources import Source

__all__ = ["Plan"]


class Plan:
    """Compares sources with a store, while they are listed.

    Args:
        sources: what to list.
        known: the store's keys, with what it knows of each row's origin.
        hashed: whether content decides on a change, not size and time.

    Attributes:
        listed: how many items were seen so far.
        complete: whether these are all.
        expected: how many there will be, as far as that is known before.
        missing: keys that the store has and a list names, of files that are not there.
        present: how many of them the store has as they are.
        repeated: how many came again under the same key; the first one counts.
        problems: what could not be listed.
    """

    def __init__(
        self, sources: Sequence[Source], known: Mapping[str, Stamped], *, hashed: bool
    ) -> None:
        self._sources = sources
        self._known = known
        self._hashed = hashed
        self._seen: set[str] = set()
        self.listed = 0
        self.complete = False
        self.expected: int | None = None
        self.present = 0
        self.repeated = 0
        self.missing: list[str] = []
        self.problems: list[PictureError] = []

    def count(self) -> None:
        """Find out how many items there will be, `expected`, for those who ask in the meantime."""
        with suppress(OSError, SnaplinkError):
            counts = [source.count() for source in self._sources]
            self.expected = None if None in counts else sum(filter(None, counts))

    def items(self) -> Iterator[Item]:
        """The items that are new or changed, each key once."""
        for source in self._sources:
            for item in source.items(self.problems.append):
                self.listed += 1
                if item.key in self._seen:
                    self.repeated += 1
                else:
                    self._seen.add(item.key)
                    yield from self._to_do(item)
        self.complete = True

    def _to_do(self, item: Item) -> Iterator[Item]:
        known = self._known.get(item.key)
        if known is None:
            yield item
        elif item.stamp == MISSING:
            self.missing.append(item.key)
        elif self._hashed:
            yield replace(item, known_sha256=known.sha256)
        elif item.stamp.same_age(known):
            self.present += 1
        else:
            yield item

    def gone(self, keys: Iterable[str]) -> Iterator[str]:
        """After all are listed: which of a store's keys come from these sources and are gone.

        None if any part of the listing failed: what was not seen may be there.
        """
        if self.complete and not self.problems:
            yield from self.missing
            for key in keys:
                if key not in self._seen and any(source.owns(key) for source in self._sources):
                    yield key
