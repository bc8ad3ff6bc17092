"""How sure a figure is: percentile intervals over pictures drawn again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .metrics import average_precision

__all__ = [
    "LEVEL",
    "RESAMPLES",
    "Difference",
    "Statistic",
    "class_mean",
    "difference",
    "interval",
    "mean",
    "mean_average_precision",
]

RESAMPLES = 1000
LEVEL = 0.95

Statistic = Callable[[Tensor], Tensor]
"""From how often each picture was drawn, float64 ``[draws, n]``, to the figure, ``[draws]``."""

_CELLS = 8_000_000  # of the table of draws that is in memory at once


@dataclass(frozen=True)
class Difference:
    """Two runs over the same pictures, B less A.

    Attributes:
        value: the difference of the figures.
        low, high: its interval.
        p: how often, of draws, the difference changes its sign; doubled, for both sides.
    """

    value: float
    low: float
    high: float
    p: float


def interval(
    statistic: Statistic, pictures: int, *, resamples: int = RESAMPLES, level: float = LEVEL
) -> tuple[float, float]:
    """The percentile bootstrap interval of a figure.

    Args:
        statistic: the figure, for any draw of the pictures.
        pictures: how many there are.
        resamples: how many draws.
        level: the share of draws that lies inside.

    The draws are the same every time (seed 0).
    """
    drawn = torch.cat([statistic(counts) for counts in _draws(pictures, resamples)])
    return _inside(drawn, level)


def difference(
    first: Statistic,
    second: Statistic,
    pictures: int,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Difference:
    """The paired bootstrap: both figures for the same draws, so that what the pictures have in
    common, hard ones and easy ones, does not count.

    Args:
        first, second: the figures of A and B.
        pictures, resamples, level: as for `interval`.
    """
    once = torch.ones(1, pictures, dtype=torch.float64)
    value = (second(once) - first(once)).item()
    gaps = torch.cat([second(counts) - first(counts) for counts in _draws(pictures, resamples)])
    gaps = gaps[~gaps.isnan()]
    below, above = (gaps <= 0).sum().item(), (gaps >= 0).sum().item()
    p = min(1.0, 2 * (min(below, above) + 1) / (len(gaps) + 1))
    return Difference(value, *_inside(gaps, level), p)


def mean(values: Tensor, owners: Tensor | None = None) -> Statistic:
    """The mean of values, such as top-1 accuracy.

    Args:
        values: ``[m]``.
        owners: the picture of each value, int64 ``[m]``; by default the value's own position.
            Captions are drawn with their picture.
    """
    values = values.double()

    def statistic(counts: Tensor) -> Tensor:
        counts = counts if owners is None else counts[:, owners]
        return counts @ values / counts.sum(1)

    return statistic


def class_mean(values: Tensor, labels: Tensor, classes: int) -> Statistic:
    """The mean of the classes' means, over the classes that were drawn at all."""
    values = values.double()

    def statistic(counts: Tensor) -> Tensor:
        zeros = torch.zeros(len(counts), classes, dtype=torch.float64)
        return (
            zeros.index_add(1, labels, counts * values) / zeros.index_add(1, labels, counts)
        ).nanmean(1)

    return statistic


def mean_average_precision(scores: Tensor, positive: Tensor) -> Statistic:
    """The mean over classes of `average_precision`.

    Args:
        scores: ``[n, classes]``.
        positive: bool ``[n, classes]``.
    """

    def statistic(counts: Tensor) -> Tensor:
        return torch.stack(
            [
                average_precision(scores[:, i], positive[:, i], counts)
                for i in range(scores.shape[1])
                if positive[:, i].any()
            ]
        ).nanmean(0)

    return statistic


def _draws(pictures: int, resamples: int) -> Iterator[Tensor]:
    """How often each picture is in each draw, float64 ``[some draws, pictures]``."""
    generator = torch.Generator().manual_seed(0)
    at_once = max(1, min(resamples, _CELLS // pictures))
    for start in range(0, resamples, at_once):
        draws = min(at_once, resamples - start)
        chosen = torch.randint(pictures, (draws, pictures), generator=generator)
        counts = torch.zeros(draws, pictures, dtype=torch.float64)
        yield counts.scatter_add_(1, chosen, torch.ones(1, 1).double().expand(draws, pictures))


def _inside(drawn: Tensor, level: float) -> tuple[float, float]:
    drawn = drawn[~drawn.isnan()]
    edges = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = torch.quantile(drawn, edges).tolist()
    return low, high
