"""What a run has done, while it goes on and at its end."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Summary"]


@dataclass
class Summary:
    """Counts of a run.

    Attributes:
        embedded: rows that were written.
        present: items that the store had already, unchanged.
        repeated: items that came again under a key of this run; the first one counts.
        failed: items that cannot be embedded, by reason.
        unlisted: what could not be listed, and why.
        pruned: rows that were dropped because their items are gone.
        seconds: from the first item on.
        total: how many items there are, once that is known.
    """

    embedded: int = 0
    present: int = 0
    repeated: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    unlisted: list[str] = field(default_factory=list)
    pruned: int = 0
    seconds: float = 0.0
    total: int | None = None

    @property
    def failures(self) -> int:
        return sum(self.failed.values())

    @property
    def done(self) -> int:
        """Items of which something has become."""
        return self.embedded + self.present + self.repeated + self.failures

    @property
    def per_second(self) -> float:
        """Rows written a second."""
        return self.embedded / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """As a dictionary that `json` writes.

        >>> Summary(embedded=6, seconds=2).to_json()["per_second"]
        3.0
        """
        return {**asdict(self), "failed": dict(self.failed), "per_second": self.per_second}
