"""Intervals hold what they promise."""

from __future__ import annotations

import pytest
import torch

from snaplink.evaluation import bootstrap


def test_the_interval_of_a_share_is_nearly_the_binomial_one():
    right = torch.arange(1000) < 300
    low, high = bootstrap.interval(bootstrap.mean(right), 1000, resamples=2000)
    deviation = (0.3 * 0.7 / 1000) ** 0.5
    assert low == pytest.approx(0.3 - 1.96 * deviation, abs=0.004)
    assert high == pytest.approx(0.3 + 1.96 * deviation, abs=0.004)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    generator = torch.Generator().manual_seed(0)
    covered = 0
    for _ in range(100):
        right = torch.rand(200, generator=generator) < 0.6
        low, high = bootstrap.interval(bootstrap.mean(right), 200, resamples=300)
        covered += low <= 0.6 <= high
    assert 86 <= covered <= 100


def test_draws_are_the_same_every_time():
    statistic = bootstrap.mean(torch.rand(50))
    assert bootstrap.interval(statistic, 50) == bootstrap.interval(statistic, 50)


def test_captions_are_drawn_with_their_picture():
    # One picture of two is always right, with many captions: either none, all, or a mix.
    values, owners = torch.tensor([1.0] * 99 + [0.0]), torch.tensor([0] * 99 + [1])
    counts = torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]], dtype=torch.float64)
    assert bootstrap.mean(values, owners)(counts).tolist() == [1.0, 0.99, 0.0]


def test_the_class_mean_leaves_out_classes_that_were_not_drawn():
    values, labels = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0, 0, 1])
    counts = torch.tensor([[1.0, 1.0, 1.0], [2.0, 1.0, 0.0]], dtype=torch.float64)
    found = bootstrap.class_mean(values, labels, 3)(counts)
    assert found.tolist() == pytest.approx([0.25, 2 / 3])


def test_pairs_find_a_difference_that_intervals_apart_would_not():
    hard = torch.arange(400) % 2 == 0  # right or wrong for both
    first, second = hard.clone(), hard.clone()
    second[1:16:2] = True  # eight more
    found = bootstrap.difference(bootstrap.mean(first), bootstrap.mean(second), 400)
    assert found.value == pytest.approx(0.02)
    assert 0 < found.low < 0.02 < found.high
    assert found.p < 0.01
    alone = bootstrap.interval(bootstrap.mean(first), 400)
    assert alone[0] < second.double().mean() < alone[1]


def test_no_difference_is_none():
    same = bootstrap.mean(torch.arange(60) % 3 == 0)
    found = bootstrap.difference(same, same, 60)
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)
