"""The linear probe: how well a straight cut through a model's features tells classes apart.

The protocol of appendix A.3 of the CLIP paper (Radford et al. 2021, arXiv 2103.00020):
L2-regularised logistic regression by L-BFGS, at most 1,000 iterations; its penalty lambda is swept
over 1e-6 to 1e6 on a validation split, from seven values on, halving the interval around the peak
down to eight steps a decade; at last it is fitted to the training and the validation split
together. lambda is `strength` in `snaplink.logistic`, so scikit-learn's C is 1 / lambda.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from .errors import ArgumentError
from .logistic import Fit, LogisticPath

__all__ = ["SWEEPS", "Probe", "Sweep", "Trial", "check_examples", "search", "split", "train"]

Sweep = Literal["paper", "readme", "clip-benchmark"]

SWEEPS: tuple[Sweep, ...] = ("paper", "readme", "clip-benchmark")
"""paper: as above. readme: C = 0.316, from openai/CLIP's README, and no search. clip-benchmark: its
97 values of weight decay from 1e-6 to 1e2, searched by its own halving; a weight decay belongs to
the mean over pictures, not their sum, so lambda is n times it."""

README_C = 0.316

_PAPER_GRID = tuple(10 ** (step / 8) for step in range(-48, 49))  # 1e-6 to 1e6, eight a decade
_BENCHMARK_GRID = tuple(10 ** (step / 12) for step in range(-72, 25))  # 1e-6 to 1e2, twelve
_COARSEST = 16  # steps of either grid: seven values to start from


@dataclass(frozen=True)
class Trial:
    """One penalty of a sweep: lambda, the share of the validation split it gets right, the fit."""

    strength: float
    accuracy: float
    iterations: int
    converged: bool


@dataclass(frozen=True)
class Probe:
    """A fitted probe.

    Attributes:
        fit: weights and biases; its `strength` is lambda.
        trials: of the sweep, by lambda; empty where nothing was searched.
    """

    fit: Fit
    trials: tuple[Trial, ...]


def train(
    features: Tensor,
    labels: Tensor,
    classes: int,
    *,
    validation: tuple[Tensor, Tensor] | None = None,
    sweep: Sweep = "paper",
    offset: tuple[Tensor, Tensor] | None = None,
    mix: float = 1.0,
    tolerance: float = 1e-4,
    watch: Callable[[Trial], object] = lambda trial: None,
) -> Probe:
    """Choose lambda on the validation split, then fit to both splits.

    Args:
        features: float32 ``[n, dim]``, as the model gives them, on the device to work on.
        labels: int64 ``[n]``, each class at least once.
        classes: how many there are.
        validation: features and labels of the validation split; may be None for "readme".
        sweep: which values to try, see `SWEEPS`.
        offset: logits ``[n, classes]`` to start from, of the training and the validation split.
        mix: how much of what is learnt counts on the validation split, beside the offset.
        tolerance: see `LogisticPath`.
        watch: called with each trial.

    Raises:
        ArgumentError: features are not finite, or there are fewer than two classes, or a class
            without an example.

    >>> x = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]])
    >>> probe = train(x, torch.tensor([0, 0, 1, 1]), 2, sweep="readme")
    >>> round(1 / probe.fit.strength, 3)
    0.316
    """
    check_examples(features, labels, classes)
    of_training, of_validation = offset or (None, None)
    path = LogisticPath(features, labels, classes, offset=of_training, tolerance=tolerance)
    if sweep == "readme":
        return Probe(path.fit(1 / README_C), ())
    if validation is None:
        raise ArgumentError(f"the sweep {sweep!r} needs a validation split")
    held, truth = validation
    _check_finite(held)
    per_picture = sweep == "clip-benchmark"
    trials: list[Trial] = []

    def score(value: float) -> float:
        fit = path.fit(value * (len(features) if per_picture else 1))
        accuracy = _accuracy(mix * fit.logits(held), truth, of_validation)
        trials.append(Trial(fit.strength, accuracy, fit.iterations, fit.converged))
        watch(trials[-1])
        return accuracy

    best = search(_BENCHMARK_GRID if per_picture else _PAPER_GRID, score)
    both = LogisticPath(
        torch.cat([features, held.to(features.device)]),
        torch.cat([labels, truth]),
        classes,
        offset=torch.cat(offset) if offset else None,
        tolerance=tolerance,
    )
    final = both.fit(best * (len(features) + len(held) if per_picture else 1))
    return Probe(final, tuple(sorted(trials, key=lambda trial: trial.strength)))


def _accuracy(logits: Tensor, labels: Tensor, offset: Tensor | None) -> float:
    if offset is not None:
        logits = logits + offset
    return (logits.argmax(1) == labels.to(logits.device)).float().mean().item()


def search(grid: Sequence[float], score: Callable[[float], float]) -> float:
    """The paper's search: every 16th value, then the peak's neighbours at half the distance, …

    CLIP_benchmark searches its own grid in the same steps. Of equal scores the largest value is
    taken: the strongest penalty, which trusts the pictures least.

    Args:
        grid: values, rising.
        score: what is to be highest. Called once a value, from large values to small ones: a
            strong penalty is quickly fitted, and a weaker one starts from there.

    >>> asked = []
    >>> search(range(97), lambda value: asked.append(value) or -abs(value - 41))
    41
    >>> len(asked)
    15
    """
    scores: dict[int, float] = {}

    def peak(indices: Iterable[int]) -> int:
        falling = sorted(set(indices), reverse=True)
        for index in falling:
            if index not in scores:
                scores[index] = score(grid[index])
        return max(falling, key=lambda index: scores[index])

    best = peak(range(0, len(grid), _COARSEST))
    span = _COARSEST // 2
    while span:
        best = peak([max(best - span, 0), best, min(best + span, len(grid) - 1)])
        span //= 2
    return grid[best]


def split(labels: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Positions of a training and a validation split, each class in both where it has two.

    Args:
        labels: int64 ``[n]``.
        share: of each class that goes to the validation split, above 0 and below 1.
        seed: of the draw.

    >>> kept, held = split(torch.tensor([0] * 10 + [1] * 5), 0.2, seed=0)
    >>> len(kept), len(held)
    (12, 3)
    """
    generator = torch.Generator().manual_seed(seed)
    kept, held = [], []
    for label in torch.bincount(labels).nonzero().flatten().tolist():
        own = (labels == label).nonzero().flatten()
        own = own[torch.randperm(len(own), generator=generator)]
        count = min(max(1, round(len(own) * share)), len(own) - 1)
        held.append(own[:count])
        kept.append(own[count:])
    return torch.cat(kept).sort().values, torch.cat(held).sort().values


def check_examples(
    features: Tensor, labels: Tensor, classes: int, class_names: Sequence[str] = ()
) -> None:
    """Raises ArgumentError for what nothing can be learnt from."""
    if classes < 2:
        raise ArgumentError("there is only one class: nothing to tell apart, give two at least")
    counts = torch.bincount(labels, minlength=classes)
    empty = (counts == 0).nonzero().flatten().tolist()
    if empty:
        named = ", ".join(repr(class_names[i]) if class_names else str(i) for i in empty[:3])
        more = f" and {len(empty) - 3} more" if len(empty) > 3 else ""
        raise ArgumentError(
            f"the training data have no example of {named}{more}: add some, or leave the class out"
        )
    _check_finite(features)


def _check_finite(features: Tensor) -> None:
    bad = int((~features.isfinite().all(1)).sum())
    if bad:
        raise ArgumentError(
            f"{bad:,} of {len(features):,} features hold NaN or infinity: encode them again"
        )
