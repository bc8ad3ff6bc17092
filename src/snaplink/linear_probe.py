"""A linear probe from labelled pictures' features to a head, with figures on a test set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import probe
from .encoder import Encoder
from .errors import ArgumentError
from .evaluation import bootstrap, metrics
from .evaluation.evaluate import benchmark_names
from .examples import device_of, labels_among
from .head import FeatureKind, Head
from .labelled import Features

__all__ = ["Outcome", "linear_probe"]


@dataclass(frozen=True)
class Outcome:
    """A probe and what it is worth.

    Attributes:
        head: to classify with.
        trials: of the sweep.
        converged: whether the last fit reached its tolerance.
        metrics: on the test set, fractions from 0 to 1, by CLIP_benchmark's names.
        interval: of ``lp_acc1``, 95 %.
        pictures: training pictures that the head was fitted to, validation included, and test
            pictures.
    """

    head: Head
    trials: tuple[probe.Trial, ...]
    converged: bool
    metrics: dict[str, float | None]
    interval: tuple[float, float]
    pictures: tuple[int, int]

    def to_json(self, dataset: str, command: str) -> dict[str, Any]:
        """CLIP_benchmark's fields, and how it was measured."""
        model, pretrained = benchmark_names(self.head.fingerprint.model)
        return {
            "dataset": dataset,
            "model": model,
            "pretrained": pretrained,
            "task": "linear_probe",
            "metrics": self.metrics,
            "language": "en",
            "intervals": {"lp_acc1": self.interval},
            "about": {
                "command": command,
                "features": self.head.features,
                "recipe": self.head.recipe,
                "train_pictures": self.pictures[0],
                "test_pictures": self.pictures[1],
                "converged": self.converged,
                "sweep": [
                    {"lambda": each.strength, "C": 1 / each.strength, "accuracy": each.accuracy}
                    for each in self.trials
                ],
                "fingerprint": self.head.fingerprint.to_json(),
            },
            "classnames": self.head.class_names,
        }


def linear_probe(
    train: Features,
    test: Features,
    encoder: Encoder,
    *,
    kind: FeatureKind = "embedding",
    validation: Features | None = None,
    share: float = 0.2,
    sweep: probe.Sweep = "paper",
    seed: int = 0,
    watch: Callable[[probe.Trial], object] = lambda trial: None,
) -> Outcome:
    """Fit the probe of `snaplink.probe` to training pictures and measure it on test pictures.

    Args:
        train: features to learn from; its classes are the head's.
        test: features to measure on: pictures of some or all of these classes.
        encoder: the model that made both.
        kind: which of its features they are.
        validation: what lambda is chosen by; by default a share of `train`.
        share: of each class of `train` that is set aside, where no validation set is given.
        sweep: which values of lambda to try.
        seed: of the draw of that share.
        watch: called with each trial.

    Raises:
        ArgumentError: nothing can be learnt; see `snaplink.probe.train` and `labels_among`.
    """
    names = train.class_names
    truth = labels_among(test, names, "TEST")
    probe.check_examples(train.matrix, train.labels, len(names), names)
    _demand_alike(train, test, validation)
    on = device_of(encoder)
    matrix, labels = train.matrix.to(on), train.labels.to(on)
    held: tuple[Tensor, Tensor] | None = None
    if validation is not None:
        held = (
            validation.matrix.to(on),
            labels_among(validation, names, "the validation set").to(on),
        )
    elif sweep != "readme":
        _demand_two(train, share)
        kept, aside = (part.to(on) for part in probe.split(train.labels, share, seed))
        held = matrix[aside], labels[aside]
        matrix, labels = matrix[kept], labels[kept]
    fitted = probe.train(matrix, labels, len(names), validation=held, sweep=sweep, watch=watch)
    examples = len(matrix) + (len(held[0]) if held else 0)
    recipe = {
        "sweep": sweep,
        "lambda": fitted.fit.strength,
        "C": 1 / fitted.fit.strength,
        "seed": seed,
        "validation": "given" if validation is not None else (share if held else None),
        "examples": examples,
    }
    head = Head(
        fitted.fit.weight.cpu(),
        fitted.fit.bias.cpu(),
        names,
        "linear probe",
        kind,
        train.fingerprint.normalized,
        train.fingerprint,
        recipe,
    )
    figures, interval = _measured(head, test, truth, fitted.fit.strength, seed)
    counts = examples, len(truth)
    return Outcome(head, fitted.trials, fitted.fit.converged, figures, interval, counts)


def _demand_alike(train: Features, *others: Features | None) -> None:
    for other in filter(None, others):
        differ = train.fingerprint.differences(other.fingerprint)
        if train.fingerprint.normalized != other.fingerprint.normalized or (
            train.matrix.shape[1] != other.matrix.shape[1]
        ):
            raise ArgumentError(
                f"the training and the other features were not made alike: {'; '.join(differ)}"
            )


def _demand_two(train: Features, share: float) -> None:
    lone = (torch.bincount(train.labels) == 1).nonzero().flatten().tolist()
    if lone:
        raise ArgumentError(
            f"the class {train.class_names[lone[0]]!r} has one training picture, of which none can "
            f"be set aside to choose lambda by ({share:.0%} of each class are): add pictures, give "
            "a validation set with --validation, or take the fixed lambda of --sweep readme"
        )


def _measured(
    head: Head, test: Features, truth: Tensor, strength: float, seed: int
) -> tuple[dict[str, float | None], tuple[float, float]]:
    ranks = metrics.ranks(head.logits(test.matrix), truth)
    first = ranks < 1
    by_class = metrics.per_class(first, truth, len(head.class_names))
    figures = {
        "lp_acc1": first.double().mean().item(),
        "lp_acc5": (ranks < 5).double().mean().item() if len(head.class_names) >= 5 else None,
        "lp_mean_per_class_recall": by_class.nanmean().item(),
        "weight_decay": strength,
        "seed": seed,
        "fewshot_k": -1,
        "normalized": head.normalized,
    }
    return figures, bootstrap.interval(bootstrap.mean(first), len(first))
