"""Few-shot learning: what k labelled pictures a class are worth, by four ways to learn from them.

All four see a model's embeddings and nothing else:

- ``nearest-mean``: a class is the mean of its pictures' unit vectors (the nearest class mean of
  Mensink et al. 2013; prototypes in Snell et al. 2017);
- ``linear-probe``: logistic regression, see `snaplink.probe`;
- ``tip-adapter``: the labels in words, plus a cache of the pictures that is asked by nearness
  (Zhang et al. 2022, "Tip-Adapter: Training-free Adaption of CLIP for Few-shot Classification");
- ``wise-ft``: a probe that starts from the labels in words, and is then averaged with them
  (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from torch import Tensor

from . import probe
from .errors import ArgumentError

__all__ = [
    "METHODS",
    "SHOTS",
    "Draw",
    "Examples",
    "Point",
    "ZeroShot",
    "curves",
    "draw",
    "linear_probe",
    "nearest_mean",
    "tip_adapter",
    "wise_ft",
]

SHOTS = (1, 2, 4, 8, 16)

_MOST_HELD = 4
_DRAWS = 1000
_TOGETHER = 50


@dataclass(frozen=True)
class Examples:
    """Raw features float32 ``[n, dim]`` and labels int64 ``[n]``."""

    features: Tensor
    labels: Tensor

    def at(self, positions: Tensor) -> Examples:
        """Some of them."""
        return Examples(self.features[positions], self.labels[positions])


@dataclass(frozen=True)
class ZeroShot:
    """The classes in words: unit vectors ``[classes, dim]``, and what cosines are multiplied by."""

    weights: Tensor
    scale: float

    def logits(self, features: Tensor) -> Tensor:
        """Raw features ``[n, dim]`` to ``[n, classes]``."""
        return self.scale * F.normalize(features, dim=-1) @ self.weights.T


@dataclass(frozen=True)
class Draw:
    """k pictures a class to learn from, and min(k, 4) others to choose a penalty by, as CoOp's
    protocol has it (Zhou et al. 2022, "Learning to Prompt for Vision-Language Models").
    """

    train: Examples
    validation: Examples


def draw(pool: Examples, classes: int, shots: int, seed: int) -> Draw:
    """Draw from a pool: of one seed, 16 shots hold the 8, and these the 4.

    Args:
        pool: what to draw from.
        classes: how many there are.
        shots: k, at least 1.
        seed: of the draw.

    Raises:
        ArgumentError: a class has too few pictures.
    """
    generator = torch.Generator().manual_seed(seed)
    held = min(shots, _MOST_HELD)
    chosen, others = [], []
    for label in range(classes):
        own = (pool.labels == label).nonzero().flatten()
        if len(own) < shots + held:
            raise _TooFewError(label, len(own), shots, held)
        own = own[torch.randperm(len(own), generator=generator)]
        chosen.append(own[:shots])
        others.append(own[len(own) - held :])
    return Draw(pool.at(torch.cat(chosen)), pool.at(torch.cat(others)))


class _TooFewError(ArgumentError):
    def __init__(self, label: int, count: int, shots: int, held: int) -> None:
        self.label = label
        enough = [k for k in SHOTS if k + min(k, _MOST_HELD) <= count]
        advice = f"give --shots {','.join(map(str, enough))}" if enough else "leave the class out"
        has = f"{count} training picture" + ("" if count == 1 else "s")
        super().__init__(
            f"class {label} has {has}, but {shots} to learn from and {held} more to choose the "
            f"penalty by need {shots + held}: {advice}, or add pictures"
        )


def nearest_mean(draw: Draw, zero_shot: ZeroShot, features: Tensor) -> Tensor:
    """Cosines ``[n, classes]`` of raw features with the classes' means."""
    return F.normalize(features, dim=-1) @ _means(draw.train, len(zero_shot.weights)).T


def _means(examples: Examples, classes: int) -> Tensor:
    sums = torch.zeros(classes, examples.features.shape[1])
    sums.index_add_(0, examples.labels, F.normalize(examples.features, dim=-1))
    return F.normalize(sums, dim=-1)


def linear_probe(draw: Draw, zero_shot: ZeroShot, features: Tensor) -> Tensor:
    """Logits ``[n, classes]`` of the paper's probe; the draw's validation split chooses lambda."""
    held = draw.validation
    fitted = probe.train(
        draw.train.features,
        draw.train.labels,
        len(zero_shot.weights),
        validation=(held.features, held.labels),
    )
    return fitted.fit.logits(features)


def tip_adapter(
    draw: Draw, zero_shot: ZeroShot, features: Tensor, *, alpha: float = 1.0, beta: float = 5.5
) -> Tensor:
    """Logits ``[n, classes]`` of Tip-Adapter, without training or search.

    Zero-shot logits, and for every training picture x of a class alpha * exp(-beta * (1 - cos))
    more for that class, with cos the cosine to x. alpha and beta are what its authors start from.
    """
    keys = F.normalize(draw.train.features, dim=-1)  # [shots * classes, dim]
    nearness = F.normalize(features, dim=-1) @ keys.T
    values = F.one_hot(draw.train.labels, len(zero_shot.weights)).float()
    return zero_shot.logits(features) + alpha * (-beta * (1 - nearness)).exp() @ values


def wise_ft(draw: Draw, zero_shot: ZeroShot, features: Tensor, *, mix: float = 0.5) -> Tensor:
    """Logits ``[n, classes]`` of a linear classifier halfway from zero-shot to fine-tuned.

    WiSE-FT starts at the zero-shot weights, trains for a while, and averages both. To start there
    and stop early is to stay near: so here the distance from the zero-shot weights W0 is what is
    penalised, lambda / 2 * |W - W0|^2, which has one optimum whatever the optimiser. lambda is
    chosen by what the average gets right of the draw's validation split; the average is of weights,
    which for a linear classifier is the average of logits.

    Args:
        draw, zero_shot, features: as for the others.
        mix: the share of the fine-tuned weights; a half, as the authors recommend.
    """
    train, held = draw.train, draw.validation
    fitted = probe.train(
        F.normalize(train.features, dim=-1),
        train.labels,
        len(zero_shot.weights),
        validation=(F.normalize(held.features, dim=-1), held.labels),
        offset=(zero_shot.logits(train.features), zero_shot.logits(held.features)),
        mix=mix,
    )
    return zero_shot.logits(features) + mix * fitted.fit.logits(F.normalize(features, dim=-1))


Method = Callable[[Draw, ZeroShot, Tensor], Tensor]

METHODS: dict[str, Method] = {
    "linear-probe": linear_probe,
    "nearest-mean": nearest_mean,
    "tip-adapter": tip_adapter,
    "wise-ft": wise_ft,
}


@dataclass(frozen=True)
class Point:
    """One method at one number of shots.

    Attributes:
        method: a name of `METHODS`, or "zero-shot" at 0 shots.
        shots: pictures a class.
        accuracies: the share of test pictures that are right, of each seed.
        accuracy: their mean.
        low, high: the 95 % interval of that mean, over other draws and other test pictures.
    """

    method: str
    shots: int
    accuracies: tuple[float, ...]
    accuracy: float
    low: float
    high: float


def curves(
    pool: Examples,
    test: Examples,
    zero_shot: ZeroShot,
    *,
    shots: Sequence[int] = SHOTS,
    seeds: int = 5,
    methods: Sequence[str] = tuple(METHODS),
    class_names: Sequence[str] = (),
) -> Iterator[Point]:
    """Learn from ever more pictures, several times each.

    Args:
        pool: what training pictures are drawn from.
        test: what accuracies are measured on.
        zero_shot: the classes in words; their number is that of the classes.
        shots: pictures a class.
        seeds: how many draws of each.
        methods: names from `METHODS`.
        class_names: for messages.

    Yields:
        First zero-shot, then for each number of shots a point a method.

    Raises:
        ArgumentError: a class has too few pictures for the most shots, or nothing can be learnt.
    """
    classes = len(zero_shot.weights)
    probe.check_examples(pool.features, pool.labels, classes, class_names)
    try:
        draw(pool, classes, max(shots), 0)
    except _TooFewError as error:
        if not class_names:
            raise
        name = repr(class_names[error.label])
        raise ArgumentError(str(error).replace(f"class {error.label}", name, 1)) from None
    baseline = _right(zero_shot.logits(test.features), test.labels)
    yield _point("zero-shot", 0, baseline[None])
    for k in shots:
        draws = [draw(pool, classes, k, seed) for seed in range(seeds)]
        for name in methods:
            found = [METHODS[name](each, zero_shot, test.features) for each in draws]
            yield _point(name, k, torch.stack([_right(each, test.labels) for each in found]))


def _right(scores: Tensor, labels: Tensor) -> Tensor:
    return scores.argmax(1) == labels


def _point(method: str, shots: int, right: Tensor) -> Point:
    """Right answers, bool ``[seeds, n]``, to a point."""
    accuracies = tuple(right.double().mean(1).tolist())
    low, high = _interval(right.double())
    return Point(method, shots, accuracies, sum(accuracies) / len(accuracies), low, high)


def _interval(right: Tensor) -> tuple[float, float]:
    """The percentile bootstrap, over seeds and pictures at once."""
    generator = torch.Generator().manual_seed(0)
    seeds, pictures = right.shape
    means = []
    for _ in range(_DRAWS // _TOGETHER):
        rows = torch.randint(seeds, (_TOGETHER, seeds), generator=generator)
        columns = torch.randint(pictures, (_TOGETHER, pictures), generator=generator)
        by_picture = right[rows].mean(1)  # [draws, n]
        means.append(by_picture.gather(1, columns).mean(1))
    edges = torch.tensor([0.025, 0.975], dtype=torch.float64)
    low, high = torch.quantile(torch.cat(means), edges).tolist()
    return low, high
