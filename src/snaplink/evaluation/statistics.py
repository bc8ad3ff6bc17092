"""From what happened to each picture to the figures, in CLIP_benchmark's names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from snaplink.labelled.data import Task

from . import bootstrap
from .bootstrap import Statistic
from .metrics import Calibration, calibration

__all__ = ["RECALLS", "calibration_of", "figures", "intervals", "statistics"]

RECALLS = (1, 5, 10)
ECE = "expected_calibration_error"

Outcomes = Mapping[str, list[Any]]


def statistics(task: Task, outcomes: Outcomes, classes: int) -> dict[str, Statistic]:
    """The figures of a task, for any draw of its pictures; the headline first."""
    if task == "multilabel":
        scores = torch.tensor(outcomes["scores"], dtype=torch.float32).view(-1, classes)
        positive = torch.zeros_like(scores, dtype=torch.bool)
        for row, labels in zip(positive, outcomes["labels"], strict=True):
            row[labels] = True
        return {"mean_average_precision": bootstrap.mean_average_precision(scores, positive)}
    if task == "retrieval":
        owners = torch.tensor(outcomes["owners"])
        by_text = torch.tensor(outcomes["image_ranks"])
        by_picture = torch.tensor(outcomes["text_ranks"])
        return {
            f"{side}_retrieval_recall@{k}": bootstrap.mean(found < k, who)
            for side, found, who in (("image", by_text, owners), ("text", by_picture, None))
            for k in RECALLS
        }
    found, labels = torch.tensor(outcomes["ranks"]), torch.tensor(outcomes["labels"])
    top5 = {"acc5": bootstrap.mean(found < 5)} if classes >= 5 else {}
    return {
        "acc1": bootstrap.mean(found < 1),
        **top5,
        "mean_per_class_recall": bootstrap.class_mean(found < 1, labels, classes),
    }


def figures(task: Task, outcomes: Outcomes, classes: int) -> dict[str, float]:
    """The figures, as fractions; acc5 is NaN below five classes."""
    once = torch.ones(1, len(outcomes["keys"]), dtype=torch.float64)
    found = {k: each(once).item() for k, each in statistics(task, outcomes, classes).items()}
    if task == "classification":
        found = {"acc1": found["acc1"], "acc5": found.get("acc5", math.nan), **found}
        found[ECE] = calibration_of(outcomes).error
    return found


def intervals(
    task: Task, outcomes: Outcomes, classes: int, resamples: int = bootstrap.RESAMPLES
) -> dict[str, tuple[float, float]]:
    """The 95 % intervals. A calibration error has none: its bootstrap is biased upwards."""
    pictures = len(outcomes["keys"])
    return {
        name: bootstrap.interval(each, pictures, resamples=resamples)
        for name, each in statistics(task, outcomes, classes).items()
    }


def calibration_of(outcomes: Outcomes) -> Calibration:
    """The calibration of a classification's answers."""
    right = torch.tensor(outcomes["ranks"]) == 0
    return calibration(torch.tensor(outcomes["confidences"], dtype=torch.float64), right)
