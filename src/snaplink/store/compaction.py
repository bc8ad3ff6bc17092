"""Which small shards become one, so that many small runs do not leave many small files."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["merges"]

_TOLERATED = 16
"""So many shards more than needed are let be: fewer would rewrite large ones for every run."""

_TIERS = (64, 8, 1)
"""Small ones are first made middling ones, so that each row is rewritten only a few times."""


def merges(rows: Sequence[int], limit: int) -> list[range]:
    """Ranges of neighbours to be made one shard each; none while few shards would be saved.

    Only neighbours, so that the order of the rows stays as it is.

    Args:
        rows: of each shard.
        limit: rows that a shard may have.

    >>> merges([60, 5, 5, 90] + [1] * 16, limit=100)
    [range(0, 3), range(3, 14), range(14, 20)]
    >>> merges([60, 5, 5, 90], limit=100)
    []
    """
    for tier in _TIERS:
        groups = _groups(rows, limit // tier)
        if sum(len(group) - 1 for group in groups) >= _TOLERATED:
            return groups
    return []


def _groups(rows: Sequence[int], limit: int) -> list[range]:
    """Ranges of several neighbours with no more rows than the limit, each as long as it can be."""
    groups = []
    start, total = 0, 0
    for number, count in enumerate(rows):
        if total + count > limit:
            groups.append(range(start, number))
            start, total = number, 0
        total += count
    groups.append(range(start, len(rows)))
    return [group for group in groups if len(group) > 1]
