"""The sweep of a linear probe, by one solver: python probing_once.py snaplink SOLVER FOLDER SIZE

Features with the statistics of CLIP's: a falling spectrum, a common offset, lengths near 10,
classes that overlap. SOLVER "choose" keeps the lambdas that the paper's search visits on them, in
its order; "snaplink" and "scikit-learn" fit each of these, and keep what they found.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

SIZES = {"full": (10_000, 512, 100), "quick": (600, 32, 10)}
TOLERANCE = 1e-6
"""Of both, for the largest component of the gradient of the mean objective; scikit-learn's default
is 1e-4, at which it stops well before the optimum of the weak penalties."""

Data = tuple[Tensor, Tensor]


def data(size: str) -> tuple[Data, Data]:
    """Training and test pictures' features and labels, as many of each."""
    count, width, classes = SIZES[size]
    chance = torch.Generator().manual_seed(0)
    deviations = torch.arange(1, width + 1).float() ** -0.5
    turn = torch.linalg.qr(torch.randn(width, width, generator=chance)).Q
    means = 0.2 * torch.randn(classes, width, generator=chance) * deviations
    offset = torch.nn.functional.normalize(torch.randn(width, generator=chance), dim=0)
    labels = torch.randint(classes, (2 * count,), generator=chance)
    noise = torch.randn(2 * count, width, generator=chance) * deviations
    features = (means[labels] + noise) @ turn + 3 * offset
    features *= 10 / features.norm(dim=1).mean()
    # One label in ten is another's: as in real data, a weak penalty learns such by heart.
    strays = torch.rand(len(labels), generator=chance) < 0.1
    labels = torch.where(strays, torch.randint(classes, (2 * count,), generator=chance), labels)
    return (features[:count], labels[:count]), (features[count:], labels[count:])


def choose(train: Data, classes: int) -> list[float]:
    """The lambdas of the paper's search, a fifth of the training pictures for validation."""
    from snaplink import probe

    features, labels = train
    kept, held = probe.split(labels, 0.2, seed=0)
    visited: list[float] = []
    probe.train(
        features[kept],
        labels[kept],
        classes,
        validation=(features[held], labels[held]),
        watch=lambda trial: visited.append(trial.strength),
    )
    return visited


def ours(train: Data, classes: int, strengths: list[float]) -> list[tuple[float, ...]]:
    from snaplink.logistic import LogisticPath

    start = time.perf_counter()
    path = LogisticPath(*train, classes, tolerance=TOLERANCE)
    found = []
    for strength in strengths:
        fit = path.fit(strength)
        seconds = time.perf_counter() - start
        found.append((seconds, fit.iterations, fit.converged, fit.weight, fit.bias))
        start = time.perf_counter()
    return found


def theirs(train: Data, classes: int, strengths: list[float]) -> list[tuple[float, ...]]:
    from sklearn.linear_model import LogisticRegression

    warnings.simplefilter("ignore")  # of those that end at 1,000 iterations, which is reported
    features, labels = (each.numpy() for each in train)
    found = []
    for strength in strengths:
        start = time.perf_counter()
        fit = LogisticRegression(C=1 / strength, max_iter=1000, tol=TOLERANCE)
        fit.fit(features, labels)
        seconds = time.perf_counter() - start
        count = int(fit.n_iter_[0])
        found.append((seconds, count, count < 1000, fit.coef_, fit.intercept_))
    return found


def main() -> None:
    solver, folder, size = sys.argv[2], Path(sys.argv[3]), sys.argv[4]
    train, _ = data(size)
    classes = SIZES[size][2]
    kept = folder / f"probe-{size}.json"
    if solver == "choose":
        kept.write_text(json.dumps(choose(train, classes)), encoding="utf-8")
        print("{}")
        return
    strengths = json.loads(kept.read_text(encoding="utf-8"))
    fits = (ours if solver == "snaplink" else theirs)(train, classes, strengths)
    seconds, iterations, converged, weights, biases = (
        list(each) for each in zip(*fits, strict=True)
    )
    np.savez(
        folder / f"probe-{size}-{solver}.npz",
        seconds=seconds,
        converged=converged,
        weights=np.stack(weights),
        biases=np.stack(biases),
    )
    print(json.dumps({"seconds": sum(seconds), "iterations": sum(iterations)}))


if __name__ == "__main__":
    main()
