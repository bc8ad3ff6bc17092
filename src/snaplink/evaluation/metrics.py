"""What is measured of answers: functions over tensors. No files, no models."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = [
    "Calibration",
    "average_precision",
    "calibration",
    "confusion",
    "per_class",
    "ranks",
    "retrieval_ranks",
    "top_k",
]

BINS = 15
_BLOCK = 1024


def ranks(scores: Tensor, labels: Tensor) -> Tensor:
    """How many classes were preferred to the right one; 0 where the first answer is right.

    Args:
        scores: ``[n, classes]``, higher is better. Of equal scores the first class is preferred.
        labels: the right classes, int64 ``[n]``.

    Returns:
        int64 ``[n]``.

    >>> ranks(torch.tensor([[0.1, 0.9], [0.5, 0.5]]), torch.tensor([0, 0])).tolist()
    [1, 0]
    """
    own = scores.gather(1, labels[:, None])
    before = torch.arange(scores.shape[1]) < labels[:, None]
    return ((scores > own) | ((scores == own) & before)).sum(1)


def top_k(scores: Tensor, labels: Tensor, k: int) -> Tensor:
    """Whether the right class is among the first `k`: bool ``[n]``."""
    return ranks(scores, labels) < k


def per_class(values: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The mean of pictures' values for each class; NaN for classes without pictures.

    Args:
        values: ``[n]``, such as 1 for a right answer and 0 for a wrong one.
        labels: the right classes, int64 ``[n]``.
        classes: how many there are.

    Returns:
        float64 ``[classes]``; its `nanmean` is the mean per class (balanced accuracy).
    """
    sums = torch.zeros(classes, dtype=torch.float64).index_add_(0, labels, values.double())
    return sums / torch.bincount(labels, minlength=classes)


def confusion(labels: Tensor, predictions: Tensor, classes: int) -> Tensor:
    """Counts of pictures, right class by given class: int64 ``[classes, classes]``.

    >>> confusion(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 0]), 2).tolist()
    [[1, 0], [1, 1]]
    """
    pairs = torch.bincount(labels * classes + predictions, minlength=classes * classes)
    return pairs.view(classes, classes)


@dataclass(frozen=True)
class Calibration:
    """Do answers of 80 % sureness come true in 80 % of cases?

    Attributes:
        edges: of the bins of sureness, from 0 to 1.
        counts: pictures in each bin.
        confidence: their mean sureness; NaN in an empty bin.
        accuracy: the share of right answers; NaN in an empty bin.
        error: the expected calibration error: the mean distance of the two, weighted by counts.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    error: float


def calibration(confidences: Tensor, right: Tensor, bins: int = BINS) -> Calibration:
    """Compare how sure answers were with how often they were right, in bins of equal width.

    Args:
        confidences: the probability of the given answer, ``[n]``.
        right: whether it was right, bool ``[n]``.
        bins: the number of bins; a bin holds its upper edge.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2.
    """
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    place = torch.bucketize(confidences.double(), edges[1:-1])
    counts = torch.bincount(place, minlength=bins)
    sureness = per_class(confidences, place, bins)
    accuracy = per_class(right, place, bins)
    gaps = ((sureness - accuracy).abs() * counts).nansum() / max(1, len(confidences))
    return Calibration(
        tuple(edges.tolist()),
        tuple(counts.tolist()),
        tuple(sureness.tolist()),
        tuple(accuracy.tolist()),
        gaps.item(),
    )


def average_precision(scores: Tensor, positive: Tensor, weights: Tensor | None = None) -> Tensor:
    """The area under the precision-recall curve, as a sum of steps.

    Args:
        scores: of one class, ``[n]``.
        positive: whether the class is there, bool ``[n]``.
        weights: how often each picture counts, ``[draws, n]``; by default once.

    Returns:
        float64, a scalar or ``[draws]``; NaN where nothing is positive.
    """
    order = scores.argsort(descending=True, stable=True)
    counted = torch.ones(1, len(scores)) if weights is None else weights
    counted = counted[:, order].double()
    hits = (counted * positive[order]).cumsum(1)
    seen = counted.cumsum(1)
    ordered = scores[order]
    # Pictures of equal scores count together: only the last of them ends a step.
    last = torch.ones(len(scores), dtype=torch.bool)
    last[:-1] = ordered[1:] != ordered[:-1]
    hits, seen = hits[:, last], seen[:, last]
    gained = torch.diff(hits, dim=1, prepend=torch.zeros(len(hits), 1, dtype=torch.float64))
    precision = hits / seen.clamp(min=1)
    area = (gained * precision).sum(1) / hits[:, -1]
    return area[0] if weights is None else area


def retrieval_ranks(queries: Tensor, targets: Tensor, positives: list[list[int]]) -> Tensor:
    """How many wrong targets came before the first right one: int64 ``[queries]``.

    Args:
        queries: unit vectors ``[queries, dim]``.
        targets: unit vectors ``[targets, dim]``.
        positives: the right targets of each query, at least one.

    Returns:
        Recall at k is the share of queries whose rank is below k.
    """
    found = []
    for start in range(0, len(queries), _BLOCK):
        scores = queries[start : start + _BLOCK] @ targets.T
        for row, own in zip(scores, positives[start : start + _BLOCK], strict=True):
            best = max(own, key=lambda each: (row[each].item(), -each))
            equal = row[:best] == row[best]
            found.append(int((row > row[best]).sum() + equal.sum()))
    return torch.tensor(found, dtype=torch.int64)
