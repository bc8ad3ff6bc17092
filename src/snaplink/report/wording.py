"""Figures in words: what they are called, and how they are written."""

from __future__ import annotations

import math

__all__ = ["NAMES", "between", "named", "percent", "points"]

NAMES = {
    "acc1": "top-1 accuracy",
    "acc5": "top-5 accuracy",
    "mean_per_class_recall": "mean per class",
    "expected_calibration_error": "calibration error",
    "mean_average_precision": "mean average precision",
}


def named(metric: str) -> str:
    """A figure's name for people.

    >>> named("acc1"), named("image_retrieval_recall@5")
    ('top-1 accuracy', 'caption to picture, recall@5')
    """
    if metric in NAMES:
        return NAMES[metric]
    side, _, k = metric.partition("_retrieval_recall@")
    ways = {"image": "caption to picture", "text": "picture to caption"}
    return f"{ways[side]}, recall@{k}" if side in ways else metric


def percent(value: float) -> str:
    """A fraction in percent, with a decimal.

    >>> percent(0.4725), percent(float("nan"))
    ('47.2 %', 'none')
    """
    return "none" if math.isnan(value) else f"{100 * value:.1f} %"


def points(value: float) -> str:
    """A difference of fractions, in percentage points with a sign."""
    return f"{100 * value:+.1f}"


def between(pair: tuple[float, float] | None) -> str:
    """An interval, in percent; nothing for None."""
    return f"{100 * pair[0]:.1f} to {100 * pair[1]:.1f} %" if pair else ""
