"""A linear probe from labelled pictures' features to a head, with figures on a test set."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import probe
from .encoder import Encoder
from .errors import ArgumentError
from .evaluation import Result, statistics
from .evaluation.bootstrap import RESAMPLES
from .evaluation.evaluate import benchmark_names, classified, versions
from .examples import device_of, labels_among
from .head import FeatureKind, Head
from .labelled import Features, Labelled

__all__ = ["Outcome", "linear_probe"]


@dataclass(frozen=True)
class Outcome:
    """A probe and what it is worth.

    Attributes:
        head: to classify with.
        trials: of the sweep.
        converged: whether the last fit reached its tolerance.
        answers: what happened to each test picture, as `snaplink.evaluation.Result` keeps it.
        figures: on the test set, fractions from 0 to 1, by the names of an evaluation.
        intervals: of these, 95 %.
        pictures: training pictures that the head was fitted to, validation included, and test
            pictures.
    """

    head: Head
    trials: tuple[probe.Trial, ...]
    converged: bool
    answers: Mapping[str, list[Any]]
    figures: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    pictures: tuple[int, int]

    @property
    def features(self) -> str:
        """What was learnt from, in words."""
        length = ", of length 1" if self.head.normalized else ""
        return f"{self.head.features}, {self.head.weight.shape[1]} wide{length}"

    @property
    def metrics(self) -> dict[str, float | None]:
        """By CLIP_benchmark's names."""
        acc5 = self.figures["acc5"]
        return {
            "lp_acc1": self.figures["acc1"],
            "lp_acc5": None if math.isnan(acc5) else acc5,
            "lp_mean_per_class_recall": self.figures["mean_per_class_recall"],
            "weight_decay": self.head.recipe["lambda"],
            "seed": self.head.recipe["seed"],
            "fewshot_k": -1,
            "normalized": self.head.normalized,
        }

    def result(self, asked: Labelled, command: str) -> Result:
        """As an evaluation, for its report and to be compared.

        Args:
            asked: the test data.
            command: what repeats this.
        """
        names = self.head.class_names
        seen = set(self.answers["labels"])
        return Result(
            asked.name,
            *benchmark_names(self.head.fingerprint.model),
            "classification",
            self.figures,
            self.intervals,
            names,
            (),
            self.answers,
            {
                "command": command,
                "pictures": self.pictures[1],
                "skipped": len(asked) - self.pictures[1],
                "features": self.features,
                "probe": {**self.head.recipe, "converged": self.converged, "trials": self.tried()},
                "classes_without_pictures": len(names) - len(seen),
                "resamples": RESAMPLES,
                "fingerprint": self.head.fingerprint.to_json(),
                "versions": versions(),
            },
        )

    def tried(self) -> list[dict[str, float]]:
        """The sweep: each lambda, its C, and the share of the validation split it got right."""
        return [
            {"lambda": each.strength, "C": 1 / each.strength, "accuracy": each.accuracy}
            for each in self.trials
        ]

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
            "intervals": {f"lp_{name}": pair for name, pair in self.intervals.items()},
            "about": {
                "command": command,
                "features": self.head.features,
                "recipe": self.head.recipe,
                "train_pictures": self.pictures[0],
                "test_pictures": self.pictures[1],
                "converged": self.converged,
                "sweep": self.tried(),
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
    answers = classified(test.keys, truth, test.matrix, head.logits)
    return Outcome(
        head,
        fitted.trials,
        fitted.fit.converged,
        answers,
        statistics.figures("classification", answers, len(names)),
        statistics.intervals("classification", answers, len(names)),
        (examples, len(truth)),
    )


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
