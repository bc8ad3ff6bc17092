"""Multinomial logistic regression with an L2 penalty, along a path of penalties, by L-BFGS.

The objective is a sum over the pictures, and the biases are not penalised:

    J(W, b) = sum_i -log softmax(W x_i + b)[y_i]  +  strength / 2 * |W|^2

scikit-learn's ``LogisticRegression(C)`` minimises C times that sum plus |W|^2 / 2, which is J / C'
for ``strength = 1 / C``: the same minimum.

L-BFGS (Liu and Nocedal, 1989) is as quick as the Hessian of J is round, and that of CLIP's features
is anything but. So the steps are taken in a metric that is near the Hessian: of class k,

    a_k * Gram + strength,    Gram = sum_i w_i x_i x_i',    w_i = sum_k p_ik (1 - p_ik)

with a_k the class's share in the weights w. One eigendecomposition of the Gram matrix inverts it
for all classes, and a tenth of the iterations is left.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from torch import Tensor

__all__ = ["Fit", "LogisticPath"]

MEMORY = 30
"""How many steps L-BFGS remembers."""

_ENOUGH = 1e-5
"""What a further step may still promise, as a share of the objective."""


@dataclass(frozen=True)
class Fit:
    """A minimum of J.

    Attributes:
        strength: of the penalty.
        weight: float32 ``[classes, dim]``, on the features' device.
        bias: float32 ``[classes]``.
        objective: J there.
        gradient: the largest component of the gradient of J / n, which ``tol`` bounds in
            scikit-learn.
        iterations: of L-BFGS.
        converged: whether the tolerance was reached within the iterations allowed.
    """

    strength: float
    weight: Tensor
    bias: Tensor
    objective: float
    gradient: float
    iterations: int
    converged: bool

    def logits(self, features: Tensor) -> Tensor:
        """``[n, dim]`` to ``[n, classes]``."""
        return features.to(self.weight.device) @ self.weight.T + self.bias


class LogisticPath:
    """Fits for one set of features and many penalties: each starts from the nearest known one.

    Args:
        features: float32 ``[n, dim]``, on the device where the work is to be done.
        labels: int64 ``[n]``, from 0 to ``classes - 1``.
        classes: how many there are.
        offset: ``[n, classes]``, added to the logits; by default nothing.
        tolerance: the largest component of the gradient of J / n that a minimum may have; a further
            step must also promise less than 1e-5 of J.
        max_iterations: of L-BFGS for one penalty, the paper's 1,000.

    >>> x, y = torch.tensor([[0.0], [1.0], [2.0], [3.0]]), torch.tensor([0, 0, 1, 1])
    >>> fit = LogisticPath(x, y, classes=2).fit(strength=1.0)
    >>> fit.converged, fit.logits(x).argmax(1).tolist()
    (True, [0, 0, 1, 1])
    """

    def __init__(
        self,
        features: Tensor,
        labels: Tensor,
        classes: int,
        *,
        offset: Tensor | None = None,
        tolerance: float = 1e-4,
        max_iterations: int = 1000,
    ) -> None:
        self.mean = features.mean(0)
        centred = features - self.mean
        # Of fewer pictures than dimensions, W lies in the span of the pictures: work in there.
        self.basis = None
        if len(features) < features.shape[1]:
            self.basis = torch.linalg.qr(centred.T.cpu()).Q.to(centred.device)  # [dim, n]
            centred = centred @ self.basis
        self.features = centred
        self.labels = labels.to(features.device)
        self.classes = classes
        self.offset = offset
        self.tolerance = tolerance
        self.max_iterations = max_iterations
        self.known: dict[float, tuple[Fit, _Descent]] = {}

    def fit(self, strength: float) -> Fit:
        """The minimum for a penalty above 0."""
        if strength not in self.known:
            objective = _Objective(self.features, self.labels, self.offset, strength)
            descent = self._start(objective)
            descent.run(self.tolerance, self.max_iterations)
            self.known[strength] = (self._fit(strength, descent), descent)
        return self.known[strength][0]

    def _start(self, objective: _Objective) -> _Descent:
        """From the nearest solution."""
        if self.known:
            strength = objective.strength
            nearest = min(self.known, key=lambda other: abs(math.log(other / strength)))
            return _Descent(objective, self.known[nearest][1].point)
        start = self.features.new_zeros(self.classes, self.features.shape[1] + 1)
        if self.offset is None:  # without weights, the biases are known
            counts = torch.bincount(self.labels, minlength=self.classes)
            start[:, -1] = counts.clamp_min(1).float().log()
            start[:, -1] -= start[:, -1].mean()
        return _Descent(objective, start)

    def _fit(self, strength: float, descent: _Descent) -> Fit:
        weight, bias = descent.point[:, :-1], descent.point[:, -1]
        if self.basis is not None:
            weight = weight @ self.basis.T
        return Fit(
            strength,
            weight.contiguous(),
            bias - weight @ self.mean,
            descent.value,
            descent.steepest,
            descent.iterations,
            descent.converged,
        )


class _Objective:
    """J, its gradient, and the metric for steps, of W and b as one matrix [classes, dim + 1]."""

    def __init__(
        self, features: Tensor, labels: Tensor, offset: Tensor | None, strength: float
    ) -> None:
        self.features = features  # [n, dim]
        self.labels = labels[:, None]
        self.offset = offset
        self.strength = strength
        self.probabilities = features  # replaced by [n, classes] in each call

    def __call__(self, point: Tensor) -> tuple[float, Tensor]:
        weight, bias = point[:, :-1], point[:, -1]
        logits = torch.addmm(bias, self.features, weight.T)
        if self.offset is not None:
            logits += self.offset
        log_p = F.log_softmax(logits, dim=1)
        loss = -log_p.gather(1, self.labels).sum().item()
        value = loss + self.strength / 2 * weight.square().sum().item()
        self.probabilities = log_p.exp_()
        errors = self.probabilities.scatter_add(
            1, self.labels, log_p.new_full(self.labels.shape, -1.0)
        )  # [n, classes]: p - 1 for the true class
        slope = torch.addmm(weight, errors.T, self.features, beta=self.strength)
        return value, torch.cat([slope, errors.sum(0)[:, None]], dim=1)

    def metric(self) -> _Metric:
        """At the point of the last call."""
        p = self.probabilities
        doubt = p * (1 - p)  # [n, classes]
        return _Metric(self.features, doubt.sum(1), doubt.sum(0), self.strength)


class _Metric:
    """The inverse of a_k * [[Gram, m], [m', s]] + strength on the weights' part, for all k."""

    def __init__(
        self, features: Tensor, by_picture: Tensor, by_class: Tensor, strength: float
    ) -> None:
        self.total = by_picture.sum().clamp_min(1e-20)  # s
        self.mean = by_picture @ features / self.total  # m / s
        centred = features - self.mean
        gram = centred.T @ (centred * by_picture[:, None])
        # On the CPU: not every device has it.
        values, vectors = torch.linalg.eigh(gram.cpu())
        self.vectors = vectors.to(features.device)
        share = by_class / self.total
        self.share = share.clamp_min(1e-3 * share.mean().item())[:, None]  # a: [classes, 1]
        spectrum = values.clamp_min(values.max().item() * 1e-7).to(features.device)
        self.curvature = self.share * spectrum  # [classes, dim]
        self.strength = strength

    def __call__(self, slope: Tensor) -> Tensor:
        """A gradient [classes, dim + 1] to the step against it."""
        along, aside = slope[:, :-1], slope[:, -1]
        turned = (along - aside[:, None] * self.mean) @ self.vectors
        weight = (turned / (self.curvature + self.strength)) @ self.vectors.T
        bias = aside / (self.share[:, 0] * self.total) - weight @ self.mean
        return torch.cat([weight, bias[:, None]], dim=1)


@dataclass(frozen=True)
class _Step:
    """A step, how the gradient changed by it, and the product of both."""

    step: Tensor
    change: Tensor
    curvature: float


class _Descent:
    """L-BFGS from a start, in the objective's metric.

    Args:
        objective: what to minimise.
        start: ``[classes, dim + 1]``.
    """

    def __init__(self, objective: _Objective, start: Tensor) -> None:
        self.objective = objective
        self.point = start
        self.value, self.slope = objective(start)
        self.memory = deque[_Step](maxlen=MEMORY)
        self.iterations = 0
        self.converged = False
        self.metric = objective.metric()

    @property
    def steepest(self) -> float:
        """The largest component of the gradient of J / n."""
        return self.slope.abs().max().item() / len(self.objective.features)

    def run(self, tolerance: float, max_iterations: int) -> None:
        """Descend until little is left, or float32 shows no way down."""
        while self.iterations < max_iterations:
            direction = -self._newton_like()
            descent = _dot(self.slope, direction)
            flat = self.steepest <= tolerance
            if flat and -descent / 2 <= _ENOUGH * self.value:
                self.converged = True
                break
            moved = _line_search(self.objective, self.point, direction, self.value, descent)
            if moved is None:
                if not self.memory:
                    self.converged = flat
                    break
                self._forget()
                continue
            self._take(direction, *moved)

    def _forget(self) -> None:
        self.objective(self.point)
        self.metric = self.objective.metric()
        self.memory.clear()

    def _take(self, direction: Tensor, size: float, value: float, slope: Tensor) -> None:
        step, change = size * direction, slope - self.slope
        if (curvature := _dot(step, change)) > 0:
            self.memory.append(_Step(step, change, curvature))
        self.point, self.value, self.slope = self.point + step, value, slope
        self.iterations += 1

    def _newton_like(self) -> Tensor:
        """The inverse Hessian, as metric and memory show it, times the gradient: two loops."""
        rest, shares = self.slope.clone(), []
        for each in reversed(self.memory):
            share = _dot(each.step, rest) / each.curvature
            rest.sub_(each.change, alpha=share)
            shares.append(share)
        result = self.metric(rest)
        if self.memory:
            last = self.memory[-1]
            result *= last.curvature / _dot(last.change, self.metric(last.change))
        for each, share in zip(self.memory, reversed(shares), strict=True):
            result.add_(each.step, alpha=share - _dot(each.change, result) / each.curvature)
        return result


def _line_search(
    objective: _Objective, point: Tensor, direction: Tensor, value: float, descent: float
) -> tuple[float, float, Tensor] | None:
    """A step size with its value and gradient, or None if a dozen are no good.

    J is convex: where it still falls along the direction it is lower than at the start, which the
    gradient shows when rounding hides it in the value. A step is good if it goes most of the way
    down, and, where it went beyond the lowest point, the value is clearly lower.
    """
    size, low, high = 1.0, 0.0, math.inf
    for _ in range(12):
        next_value, next_slope = objective(point + size * direction)
        steepness = _dot(next_slope, direction)
        lower = next_value <= value + 1e-4 * size * descent
        if not math.isfinite(next_value) or (steepness > 0 and not lower):
            high = size
        elif steepness < 0.9 * descent:
            low = size
        else:
            return size, next_value, next_slope
        size = (low + high) / 2 if math.isfinite(high) else 2 * size
    return None


def _dot(a: Tensor, b: Tensor) -> float:
    return torch.vdot(a.flatten(), b.flatten()).item()
