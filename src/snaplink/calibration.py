"""Calibration: probabilities that mean what they say, and thresholds to refuse below them.

A flat cut-off serves nobody: for some classes 0.3 is sure, for others 0.9 is a guess. Here one
temperature makes probabilities honest (Guo et al. 2017, "On Calibration of Modern Neural
Networks"), and each class gets a threshold of its own, both from labelled pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from torch import Tensor

from .errors import ArgumentError
from .evaluation import metrics
from .head import Head

__all__ = [
    "NEVER",
    "NONE_LABEL",
    "Calibrated",
    "Quality",
    "answered",
    "calibrate",
    "cross_checked",
    "quality",
    "temperature",
    "thresholds",
]

NONE_LABEL = -1
"""The label of a picture that shows none of the classes."""

NEVER = 2.0
"""A threshold that no probability reaches: the class is never given."""

Target = float | Literal["f1"]


def temperature(logits: Tensor, labels: Tensor) -> float:
    """The T for which softmax(logits / T) makes the labels most likely.

    The negative log-likelihood is convex in 1 / T, so its slope is followed to zero by bisection,
    from T = 1/1024 to 1024. A sample without a wrong answer has no optimum, ever sharper answers
    are ever likelier: its T is left at 1.

    Args:
        logits: float ``[n, classes]``.
        labels: int64 ``[n]``; pictures of none of the classes (-1) do not count.

    Raises:
        ArgumentError: no picture is of any class, or the logits are not finite.

    >>> round(temperature(torch.tensor([[2.0, 0.0]] * 4), torch.tensor([0, 0, 0, 1])), 3)
    1.82
    """
    logits, labels = _usable(logits, labels)
    own = logits.gather(1, labels[:, None]).squeeze(1)
    if bool((own >= logits.max(1).values).all()):
        return 1.0

    def slope(inverse: float) -> float:
        expected = ((logits * inverse).softmax(1) * logits).sum(1)
        return (expected - own).mean().item()

    low, high = 2.0**-10, 2.0**10  # of 1 / T
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 1 / math.sqrt(low * high)


def _usable(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    if not bool(logits.isfinite().all()):
        raise ArgumentError("the pictures' features hold NaN or infinity: encode them again")
    known = labels != NONE_LABEL
    if not bool(known.any()):
        raise ArgumentError("no picture shows any of the classes: nothing to calibrate on")
    return logits[known].double().cpu(), labels[known].cpu()


def thresholds(probabilities: Tensor, labels: Tensor, target: Target = "f1") -> Tensor:
    """For each class the probability below which its pictures are better refused.

    Only pictures whose best class it is decide about a class's threshold; it lies midway between
    the probabilities of two of them.

    Args:
        probabilities: calibrated, ``[n, classes]``.
        labels: int64 ``[n]``, -1 for pictures of none of the classes.
        target: "f1": the best harmonic mean of precision (how many pictures given the class have
            it) and recall (how many that have it are given it). A number: the lowest threshold at
            which at least this share of the pictures given the class have it; a class that never
            gets there is never given.

    Returns:
        float32 ``[classes]``; 0 accepts all; `NEVER` for a class that is not to be given. A class
        that is no picture's best is left at 0 for "f1", and is `NEVER` for a number: nothing shows
        that it can be trusted.

    Raises:
        ArgumentError: the target is not above 0 and at most 1.
    """
    if target != "f1" and not 0 < target <= 1:
        raise ArgumentError(f"the target {target} is no share: above 0, and at most 1")
    confidence, best = probabilities.max(1)
    counts = torch.bincount(labels[labels != NONE_LABEL], minlength=probabilities.shape[1])
    found = [
        _threshold(confidence[best == index], labels[best == index] == index, int(count), target)
        for index, count in enumerate(counts)
    ]
    return torch.tensor(found)


def _threshold(confidence: Tensor, right: Tensor, count: int, target: Target) -> float:
    """The threshold of one class from the pictures whose best it is.

    Args:
        confidence: their probabilities for it, ``[m]``.
        right: whether they show it.
        count: how many pictures show it in all.
    """
    if not len(confidence):
        return 0.0 if target == "f1" else NEVER
    order = confidence.argsort(descending=True)
    falling, hits = confidence[order].double(), right[order].cumsum(0).double()
    taken = torch.arange(1, len(falling) + 1, dtype=torch.float64)
    last = torch.ones(len(falling), dtype=torch.bool)  # equal probabilities are taken together
    last[:-1] = falling[1:] < falling[:-1]
    if target == "f1":
        f1 = torch.where(last, 2 * hits / (taken + count), -1.0)
        # Of equal ones the last: it refuses fewest.
        at = int((f1 == f1.max()).nonzero()[-1])
        if hits[-1] == 0:
            return NEVER
    else:
        enough = (last & (hits / taken >= target)).nonzero()
        if not len(enough):
            return NEVER
        at = int(enough[-1])
    if at == len(falling) - 1:
        return 0.0
    return ((falling[at] + falling[at + 1]) / 2).item()


def answered(probabilities: Tensor, limits: Tensor) -> Tensor:
    """The class given to each picture, int64 ``[n]``; -1 where it is refused."""
    confidence, best = probabilities.max(1)
    return torch.where(confidence >= limits[best], best, NONE_LABEL)


@dataclass(frozen=True)
class Quality:
    """What answers are worth; shares from 0 to 1.

    Attributes:
        nll: mean negative log-likelihood of the pictures that show one of the classes, in nats.
        ece: their expected calibration error, see `snaplink.evaluation.metrics.calibration`.
        answered: the share of pictures that get a class.
        precision: the share of right ones among these; NaN if there are none.
        recall: the share of pictures with a class that get theirs.
        rejected: the share of pictures of none of the classes that are refused; NaN if there are
            none.
    """

    nll: float
    ece: float
    answered: float
    precision: float
    recall: float
    rejected: float


def quality(logits: Tensor, labels: Tensor, given: Tensor) -> Quality:
    """Judge answers.

    Args:
        logits: ``[n, classes]``, after the temperature.
        labels: int64 ``[n]``, -1 for none of the classes.
        given: what `answered` says.
    """
    known, told = labels != NONE_LABEL, given != NONE_LABEL
    sureness, best = logits[known].softmax(1).max(1)
    right = known & (given == labels)
    return Quality(
        nll=F.cross_entropy(logits[known], labels[known]).item(),
        ece=metrics.calibration(sureness, best == labels[known]).error,
        answered=_share(told),
        precision=_share(right[told]),
        recall=_share(right[known]),
        rejected=_share(~told[~known]),
    )


def _share(flags: Tensor) -> float:
    return flags.double().mean().item() if len(flags) else math.nan


def cross_checked(
    logits: Tensor, labels: Tensor, target: Target = "f1", *, folds: int = 5, seed: int = 0
) -> Quality:
    """The quality on pictures that did not take part: each fold is judged by the others.

    Args:
        logits: ``[n, classes]``, before any temperature.
        labels, target: as for `thresholds`.
        folds: as many parts.
        seed: of the draw.
    """
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    scaled, given = torch.empty_like(logits), torch.empty_like(labels)
    for fold in range(folds):
        held = order[fold::folds]
        rest = torch.ones(len(labels), dtype=torch.bool)
        rest[held] = False
        t = temperature(logits[rest], labels[rest])
        limits = thresholds((logits[rest] / t).softmax(1), labels[rest], target)
        scaled[held] = logits[held] / t
        given[held] = answered(scaled[held].softmax(1), limits)
    return quality(scaled, labels, given)


@dataclass(frozen=True)
class Calibrated:
    """A calibrated head, and what calibration did.

    Attributes:
        head: with temperature and thresholds.
        before: on the whole sample, where every picture gets its best class.
        after: on the whole sample, too, but `cross_checked`.
    """

    head: Head
    before: Quality
    after: Quality


def calibrate(head: Head, features: Tensor, labels: Tensor, target: Target = "f1") -> Calibrated:
    """Give a head a temperature and thresholds, in place of those that it may have.

    Args:
        head: to be calibrated.
        features: raw features of pictures that it has not learnt from, ``[n, dim]``.
        labels: their classes, int64 ``[n]``; -1 for none of them.
        target: see `thresholds`.

    Raises:
        ArgumentError: see `temperature` and `thresholds`.
    """
    logits = head.logits(features)
    found = temperature(logits, labels)
    limits = thresholds((logits / found).softmax(1), labels, target)
    return Calibrated(
        replace(head, temperature=found, thresholds=limits),
        quality(logits, labels, logits.argmax(1)),
        cross_checked(logits, labels, target),
    )
