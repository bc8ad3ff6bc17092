"""The probe: which penalties are tried, which is taken, and what cannot be learnt."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from snaplink import probe
from snaplink.errors import ArgumentError


def blobs(n: int, classes: int, width: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    means = torch.randn(classes, width, generator=torch.Generator().manual_seed(99))
    return means[labels] + torch.randn(n, width, generator=chance), labels


def test_the_papers_search_starts_at_seven_values_and_ends_at_eighths_of_a_decade():
    asked: list[float] = []

    def score(value: float) -> float:
        asked.append(value)
        return -abs(math.log10(value) - 0.5)

    best = probe.search(probe._PAPER_GRID, score)
    assert best == pytest.approx(10**0.5)
    assert asked[:7] == pytest.approx([1e6, 1e4, 1e2, 1, 1e-2, 1e-4, 1e-6])
    assert len(asked) == 15
    assert len(set(asked)) == 15
    steps = sorted(math.log10(value) * 8 for value in asked)
    assert all(step == pytest.approx(round(step)) for step in steps)
    near = sorted(abs(math.log10(value) - 0.5) for value in asked)
    assert near[1] == pytest.approx(1 / 8)


def test_clip_benchmarks_grid_has_its_97_values():
    grid = probe._BENCHMARK_GRID
    assert len(grid) == 97
    assert grid[0] == pytest.approx(1e-6)
    assert grid[-1] == pytest.approx(1e2)
    ratios = [b / a for a, b in pairwise(grid)]
    assert ratios == pytest.approx([10 ** (8 / 96)] * 96)


@given(peak=st.integers(0, 96))
def test_any_single_peak_is_found(peak: int):
    assert probe.search(range(97), lambda value: -abs(value - peak)) == peak


def test_of_equal_scores_the_strongest_penalty_is_taken():
    assert probe.search(range(97), lambda value: 1.0) == 96
    assert probe.search(range(97), lambda value: float(value < 50)) == 49


def test_the_best_penalty_is_fitted_again_on_both_splits():
    x, y = blobs(120, 3)
    held = blobs(60, 3, seed=1)
    found = probe.train(x, y, 3, validation=held)
    best = max(found.trials, key=lambda trial: (trial.accuracy, trial.strength))
    assert found.fit.strength == best.strength
    both = probe.LogisticPath(torch.cat([x, held[0]]), torch.cat([y, held[1]]), 3)
    assert found.fit.objective == pytest.approx(both.fit(best.strength).objective, rel=1e-4)
    assert len(found.trials) == 15


def test_the_readmes_c_is_not_searched():
    x, y = blobs(60, 3)
    found = probe.train(x, y, 3, sweep="readme")
    assert found.fit.strength == pytest.approx(1 / 0.316)
    assert found.trials == ()


def test_a_weight_decay_belongs_to_the_mean():
    x, y = blobs(50, 2)
    held = blobs(20, 2, seed=1)
    found = probe.train(x, y, 2, validation=held, sweep="clip-benchmark")
    tried = {trial.strength for trial in found.trials}
    assert min(tried) == pytest.approx(50 * 1e-6)
    assert max(tried) == pytest.approx(50 * 1e2)
    best = max(found.trials, key=lambda trial: (trial.accuracy, trial.strength))
    assert found.fit.strength == pytest.approx(best.strength / 50 * 70)


@given(
    counts=st.lists(st.integers(2, 12), min_size=2, max_size=5),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 99),
)
def test_a_split_parts_every_class_and_loses_nothing(counts: list[int], share: float, seed: int):
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    kept, held = probe.split(labels, share, seed)
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(len(labels)))
    for part in (kept, held):
        assert set(labels[part].tolist()) == set(range(len(counts)))
    again = probe.split(labels, share, seed)
    assert torch.equal(kept, again[0])


def test_one_class_is_nothing_to_tell_apart():
    with pytest.raises(ArgumentError, match="only one class"):
        probe.train(torch.randn(4, 3), torch.zeros(4, dtype=torch.int64), 1, sweep="readme")


def test_a_class_without_an_example_is_named():
    with pytest.raises(ArgumentError, match="no example of 'dog': add some, or leave"):
        probe.check_examples(torch.randn(2, 3), torch.tensor([0, 2]), 3, ("cat", "dog", "cow"))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_features_that_are_no_numbers_are_counted(value: float):
    x, y = blobs(20, 2)
    x[3, 1] = value
    with pytest.raises(ArgumentError, match=r"1 of 20 features hold NaN or infinity"):
        probe.train(x, y, 2, sweep="readme")
    with pytest.raises(ArgumentError, match=r"1 of 20 features hold NaN or infinity"):
        probe.train(*blobs(20, 2), 2, validation=(x, y))


def test_a_sweep_needs_a_validation_split():
    with pytest.raises(ArgumentError, match="needs a validation split"):
        probe.train(*blobs(20, 2), 2)
