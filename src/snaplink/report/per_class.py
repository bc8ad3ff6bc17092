"""Figures class by class."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from snaplink.evaluation import Result
from snaplink.evaluation.metrics import average_precision, confusion

__all__ = ["ClassFigures", "class_figures"]


@dataclass(frozen=True)
class ClassFigures:
    """What was measured of a class.

    Attributes:
        name: of the class.
        pictures: how many it has.
        value: the share of them that was named rightly, or the average precision.
        interval: of the share: Wilson's, of 95 %; None for an average precision.
        taken_for: the most frequent wrong answer, with its count; "" for none.
    """

    name: str
    pictures: int
    value: float
    interval: tuple[float, float] | None
    taken_for: str


def class_figures(result: Result) -> list[ClassFigures]:
    """Those of all classes that have pictures, the lowest first."""
    if result.task == "multilabel":
        return _precisions(result)
    labels = torch.tensor(result.outcomes["labels"])
    given = torch.tensor(result.outcomes["predictions"])
    matrix = confusion(labels, given, len(result.class_names))
    wrong = matrix.clone().fill_diagonal_(0)
    found = []
    for i, (row, name) in enumerate(zip(matrix, result.class_names, strict=True)):
        pictures, right = int(row.sum()), int(row[i])
        if not pictures:
            continue
        other = int(wrong[i].argmax())
        count = int(wrong[i, other])
        taken = f"{result.class_names[other]} ({count:,})" if count else ""
        share = right / pictures
        found.append(ClassFigures(name, pictures, share, wilson(right, pictures), taken))
    return sorted(found, key=lambda each: (each.value, -each.pictures, each.name))


def _precisions(result: Result) -> list[ClassFigures]:
    scores = torch.tensor(result.outcomes["scores"])
    positive = torch.zeros_like(scores, dtype=torch.bool)
    for row, labels in zip(positive, result.outcomes["labels"], strict=True):
        row[labels] = True
    found = [
        ClassFigures(
            name,
            int(positive[:, i].sum()),
            average_precision(scores[:, i], positive[:, i]).item(),
            None,
            "",
        )
        for i, name in enumerate(result.class_names)
        if positive[:, i].any()
    ]
    return sorted(found, key=lambda each: (each.value, each.name))


def wilson(right: int, of: int) -> tuple[float, float]:
    """Wilson's interval of a share, 95 %: honest for the few pictures that a class may have.

    >>> low, high = wilson(9, 10)
    >>> round(low, 3), round(high, 3)
    (0.596, 0.982)
    """
    z = 1.959964
    share = right / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * ((share * (1 - share) + z * z / (4 * of)) / of) ** 0.5 / (1 + z * z / of)
    return max(0.0, middle - half), min(1.0, middle + half)
