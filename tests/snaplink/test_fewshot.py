"""Few-shot learning: each way by plain loops, the draws, and classes that have too few."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from snaplink import fewshot
from snaplink.errors import ArgumentError
from snaplink.fewshot import Draw, Examples, ZeroShot

CLASSES, WIDTH = 3, 6


def examples(n: int, seed: int) -> Examples:
    chance = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % CLASSES
    means = 2 * torch.eye(CLASSES, WIDTH)
    return Examples(3 * means[labels] + torch.randn(n, WIDTH, generator=chance), labels)


@pytest.fixture
def zero_shot() -> ZeroShot:
    words = torch.eye(CLASSES, WIDTH) + 0.3
    return ZeroShot(words / words.norm(dim=1, keepdim=True), 100.0)


@pytest.fixture
def drawn() -> Draw:
    return fewshot.draw(examples(60, 0), CLASSES, 4, seed=0)


def unit(vector: list[float]) -> list[float]:
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector]


def dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_the_nearest_mean_by_loops(drawn: Draw, zero_shot: ZeroShot):
    test = examples(9, 1).features
    expected = []
    for row in test.tolist():
        scores = []
        for label in range(CLASSES):
            known = drawn.train.features[drawn.train.labels == label]
            own = [unit(x) for x in known.tolist()]
            mean = [sum(column) / len(own) for column in zip(*own, strict=True)]
            scores.append(dot(unit(row), unit(mean)))
        expected.append(scores)
    found = fewshot.nearest_mean(drawn, zero_shot, test)
    assert torch.allclose(found, torch.tensor(expected), atol=1e-5)


def test_tip_adapter_by_loops(drawn: Draw, zero_shot: ZeroShot):
    test = examples(9, 1).features
    expected = []
    for row in test.tolist():
        scores = [100 * dot(unit(row), word) for word in zero_shot.weights.tolist()]
        for x, y in zip(drawn.train.features.tolist(), drawn.train.labels.tolist(), strict=True):
            scores[y] += 1.0 * math.exp(-5.5 * (1 - dot(unit(row), unit(x))))
        expected.append(scores)
    found = fewshot.tip_adapter(drawn, zero_shot, test)
    assert torch.allclose(found, torch.tensor(expected), atol=1e-3)


def test_wise_ft_starts_at_zero_shot_and_learns_from_there(drawn: Draw, zero_shot: ZeroShot):
    test = examples(9, 1).features
    start = zero_shot.logits(test)
    assert torch.allclose(fewshot.wise_ft(drawn, zero_shot, test, mix=0.0), start)
    assert not torch.allclose(fewshot.wise_ft(drawn, zero_shot, test), start, atol=1e-6)


def test_all_learn_what_the_words_get_wrong():
    """The names of two classes are mixed up; the pictures show which is which."""
    pool, test = examples(90, 0), examples(60, 1)
    words = torch.eye(CLASSES, WIDTH)[[1, 0, 2]]
    found = {
        (point.method, point.shots): point
        for point in fewshot.curves(pool, test, ZeroShot(words, 3.0), shots=(1, 16), seeds=2)
    }
    assert found["zero-shot", 0].accuracy < 0.4
    for method in ("linear-probe", "nearest-mean", "wise-ft"):
        assert found[method, 16].accuracy > 0.9
    assert found["tip-adapter", 16].accuracy > found["zero-shot", 0].accuracy + 0.3


def test_a_point_has_its_seeds_and_an_interval_round_their_mean():
    points = list(
        fewshot.curves(
            examples(60, 0), examples(30, 1), ZeroShot(torch.eye(CLASSES, WIDTH), 10.0),
            shots=(1, 2), seeds=3, methods=("nearest-mean",),
        )
    )  # fmt: skip
    assert [(point.method, point.shots) for point in points] == [
        ("zero-shot", 0), ("nearest-mean", 1), ("nearest-mean", 2),
    ]  # fmt: skip
    for point in points[1:]:
        assert len(point.accuracies) == 3
        assert point.accuracy == pytest.approx(sum(point.accuracies) / 3)
        assert point.low <= point.accuracy <= point.high
    assert points[0].accuracies == (points[0].accuracy,)


def test_draws_are_repeatable_nested_and_apart():
    pool = examples(90, 0)

    def rows(x: Tensor) -> set[tuple[float, ...]]:
        return {tuple(row) for row in x.tolist()}

    small, large = (fewshot.draw(pool, CLASSES, shots, 7) for shots in (4, 8))
    assert torch.equal(small.train.features, fewshot.draw(pool, CLASSES, 4, 7).train.features)
    assert rows(small.train.features) < rows(large.train.features)
    assert not rows(large.train.features) & rows(large.validation.features)
    assert torch.bincount(large.train.labels).tolist() == [8] * CLASSES
    assert torch.bincount(large.validation.labels).tolist() == [4] * CLASSES
    assert rows(small.train.features) != rows(fewshot.draw(pool, CLASSES, 4, 8).train.features)


def test_more_shots_than_a_class_has(zero_shot: ZeroShot):
    pool = examples(30, 0)
    with pytest.raises(ArgumentError, match=r"'cow' has 10 .*need 20: give --shots 1,2,4,"):
        list(fewshot.curves(pool, pool, zero_shot, class_names=("cow", "dog", "cat")))


def test_a_class_with_a_single_picture_can_only_be_left_out(zero_shot: ZeroShot):
    pool = Examples(torch.randn(5, WIDTH), torch.tensor([0, 0, 1, 1, 2]))
    with pytest.raises(ArgumentError, match=r"2 has 1 training picture, .*: leave the class out"):
        list(fewshot.curves(pool, pool, zero_shot, shots=(1,)))
