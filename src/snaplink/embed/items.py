"""What a source gives and what becomes of it: the words that sources, engines and job share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .places import Place

__all__ = ["MISSING", "Batch", "Decoded", "Failed", "Item", "Stamp", "Stamped", "Unchanged"]


class Stamped(Protocol):
    """What a store knows of a row's origin."""

    @property
    def size(self) -> int | None: ...
    @property
    def mtime_ns(self) -> int | None: ...
    @property
    def sha256(self) -> str | None: ...


@dataclass(frozen=True)
class Stamp:
    """By what a change is noticed; None where the source does not tell."""

    size: int | None = None
    mtime_ns: int | None = None
    sha256: str | None = None

    def same_age(self, other: Stamped) -> bool:
        """Whether size and time, as far as both are known, are equal."""
        pairs = ((self.size, other.size), (self.mtime_ns, other.mtime_ns))
        return all(mine == theirs for mine, theirs in pairs if None not in (mine, theirs))


MISSING = Stamp(size=-1)
"""Of a file that is named and not there."""


@dataclass(frozen=True)
class Item:
    """A picture, a caption or both, not yet read.

    Args:
        key: its one name in a store.
        place: where the picture is; None for a caption alone.
        stamp: by what a change is noticed.
        caption: its text, or the place of a text file.
        metadata: further columns, or the place of a JSON object.
        known_sha256: of the content that the store has, if the content decides on a change.
    """

    key: str
    place: Place | None
    stamp: Stamp = field(default_factory=Stamp)
    caption: str | Place | None = None
    metadata: Mapping[str, Any] | Place = field(default_factory=dict)
    known_sha256: str | None = None


@dataclass(frozen=True)
class Decoded:
    """An item as it was read, without its pixels."""

    key: str
    source: str | None
    stamp: Stamp
    width: int | None
    height: int | None
    caption: str | None
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Failed:
    """An item that cannot be embedded.

    Args:
        key: of the item.
        reason: why.
        unread: its content was not there to be judged: it may be what the store has.
    """

    key: str
    reason: str
    unread: bool = False


@dataclass(frozen=True)
class Unchanged:
    """An item whose content is what the store has."""

    key: str


@dataclass
class Batch:
    """What an engine hands over: rows with their embeddings, and what came of the other items.

    Attributes:
        rows: what was embedded.
        image, text: float32 ``[len(rows), dim]``, or None for a modality that was not asked for.
        has_text: which rows have a caption; the others' text embeddings mean nothing.
        failed, unchanged: the items that gave no row.
    """

    rows: list[Decoded] = field(default_factory=list)
    image: Any = None
    text: Any = None
    has_text: list[bool] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    unchanged: list[Unchanged] = field(default_factory=list)
