"""Two results over the same pictures: which is better, and is it more than chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from snaplink.errors import ArgumentError

from . import bootstrap
from .results import Result
from .statistics import statistics

__all__ = ["Comparison", "compare"]

_PER_PICTURE = ("keys", "labels", "predictions", "confidences", "ranks", "scores", "text_ranks")


@dataclass(frozen=True)
class Comparison:
    """Two results over the same pictures.

    Attributes:
        first, second: A and B, whole.
        pictures: how many both have; of these is everything below.
        differences: of each figure, B less A.
        only_first, only_second: keys of the pictures that only A, or only B, got right.
        left_out: how many pictures only one of them has.
        by_class: of each class, its name, its pictures, and the two shares of right answers.
    """

    first: Result
    second: Result
    pictures: int
    differences: Mapping[str, bootstrap.Difference]
    only_first: Sequence[str]
    only_second: Sequence[str]
    left_out: int
    by_class: Sequence[tuple[str, int, float, float]]


def compare(first: Result, second: Result, *, resamples: int = bootstrap.RESAMPLES) -> Comparison:
    """Compare two results by the paired bootstrap.

    Raises:
        ArgumentError: they are of other tasks or classes, or have no picture in common.
    """
    _demand_like(first, second)
    common = set(first.outcomes["keys"]) & set(second.outcomes["keys"])
    if not common:
        raise ArgumentError(
            f"the results of {first.dataset} and {second.dataset} have no picture in common"
        )
    left_out = len(set(first.outcomes["keys"]) ^ set(second.outcomes["keys"]))
    one, other = _cut(first.outcomes, common), _cut(second.outcomes, common)
    if one.get("labels") != other.get("labels"):
        raise ArgumentError(
            "the results know other labels of the same pictures: evaluate both on the same data"
        )
    classes = len(first.class_names)
    mine = statistics(first.task, one, classes)
    theirs = statistics(first.task, other, classes)
    differences = {
        name: bootstrap.difference(each, theirs[name], len(common), resamples=resamples)
        for name, each in mine.items()
    }
    right, wrong = _right(first.task, one), _right(first.task, other)
    pairs = list(zip(one["keys"], right, wrong, strict=True))
    return Comparison(
        first,
        second,
        len(common),
        differences,
        [key for key, a, b in pairs if a and not b],
        [key for key, a, b in pairs if b and not a],
        left_out,
        _by_class(first, one, right, wrong) if first.task == "classification" else (),
    )


def _demand_like(first: Result, second: Result) -> None:
    if first.task != second.task:
        raise ArgumentError(f"one result is of {first.task}, the other of {second.task}")
    if len(first.class_names) != len(second.class_names):
        raise ArgumentError(
            f"one result has {len(first.class_names)} classes, the other "
            f"{len(second.class_names)}: evaluate both with the same --classes"
        )


def _cut(outcomes: Mapping[str, list[Any]], common: set[str]) -> dict[str, list[Any]]:
    """The outcomes of the pictures in common, in the order of their keys."""
    keys = outcomes["keys"]
    kept = sorted((i for i, key in enumerate(keys) if key in common), key=keys.__getitem__)
    cut = {name: [outcomes[name][i] for i in kept] for name in _PER_PICTURE if name in outcomes}
    if "owners" in outcomes:
        place = {old: new for new, old in enumerate(kept)}
        pairs = zip(outcomes["owners"], outcomes["image_ranks"], strict=True)
        texts = sorted((place[owner], rank) for owner, rank in pairs if owner in place)
        cut["owners"] = [owner for owner, _ in texts]
        cut["image_ranks"] = [rank for _, rank in texts]
    return cut


def _right(task: str, outcomes: Mapping[str, list[Any]]) -> list[bool]:
    """Whether each picture's first answer is right; of multi-label pictures, the best score."""
    if task == "multilabel":
        best = [max(range(len(row)), key=row.__getitem__) for row in outcomes["scores"]]
        return [b in labels for b, labels in zip(best, outcomes["labels"], strict=True)]
    ranks = outcomes["ranks" if task == "classification" else "text_ranks"]
    return [rank == 0 for rank in ranks]


def _by_class(
    result: Result, outcomes: Mapping[str, list[Any]], right: list[bool], wrong: list[bool]
) -> list[tuple[str, int, float, float]]:
    labels = torch.tensor(outcomes["labels"])
    counts = torch.bincount(labels, minlength=len(result.class_names))
    sums = [
        torch.zeros(len(counts)).index_add_(0, labels, torch.tensor(each).float())
        for each in (right, wrong)
    ]
    return [
        (name, int(count), (a / count).item(), (b / count).item())
        for name, count, a, b in zip(result.class_names, counts, *sums, strict=True)
        if count
    ]
