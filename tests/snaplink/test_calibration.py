"""Temperature and thresholds: the optimum, by other ways to find it, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from torch import Tensor

from snaplink.calibration import (
    NEVER,
    NONE_LABEL,
    answered,
    calibrate,
    cross_checked,
    quality,
    temperature,
    thresholds,
)
from snaplink.errors import ArgumentError
from snaplink.fake_encoder import FakeEncoder
from snaplink.fingerprint import fingerprint
from snaplink.head import Head


def sample(
    n: int = 300, classes: int = 4, scale: float = 6.0, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Logits that are too sure of themselves, wrong at times."""
    chance = torch.Generator().manual_seed(0)
    labels = torch.randint(classes, (n,), generator=chance)
    logits = torch.randn(n, classes, generator=chance)
    logits[torch.arange(n), labels] += 1
    return scale * logits, labels


def test_the_temperature_is_the_one_scipy_finds():
    logits, labels = sample()

    def loss(log_t: float) -> float:
        return F.cross_entropy(logits.double() / math.exp(log_t), labels).item()

    best = minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-9})
    assert temperature(logits, labels) == pytest.approx(math.exp(best.x), rel=1e-4)


@settings(deadline=None)
@given(factor=st.floats(0.05, 20))
def test_scaled_logits_scale_the_temperature(factor: float):
    logits, labels = sample(80)
    assert temperature(logits * factor, labels) == pytest.approx(
        factor * temperature(logits, labels), rel=1e-3
    )


def test_a_sample_without_a_mistake_keeps_its_temperature():
    assert temperature(torch.eye(3), torch.arange(3)) == 1.0


def test_pictures_of_none_of_the_classes_do_not_count():
    logits, labels = sample()
    more = torch.cat([logits, torch.randn(50, 4)])
    none = torch.cat([labels, torch.full((50,), NONE_LABEL)])
    assert temperature(more, none) == temperature(logits, labels)


def brute_f1(confidence: np.ndarray, right: np.ndarray, count: int, limit: float) -> float:
    taken = confidence >= limit
    return 2 * (right & taken).sum() / (taken.sum() + count)


def test_thresholds_for_f1_are_the_best_of_all():
    logits, labels = sample()
    labels[:40] = NONE_LABEL
    probabilities = logits.softmax(1)
    limits = thresholds(probabilities, labels)
    confidence, best = (each.numpy() for each in probabilities.max(1))
    for index, limit in enumerate(limits.tolist()):
        own = best == index
        right = labels.numpy()[own] == index
        count = int((labels == index).sum())
        every = [brute_f1(confidence[own], right, count, t) for t in (0.0, *confidence[own])]
        assert brute_f1(confidence[own], right, count, limit) == pytest.approx(max(every))


@pytest.mark.parametrize("target", [0.5, 0.8, 0.95, 1.0])
def test_thresholds_for_a_share_are_the_lowest_that_reach_it(target: float):
    logits, labels = sample()
    probabilities = logits.softmax(1)
    limits = thresholds(probabilities, labels, target)
    confidence, best = probabilities.max(1)
    for index, limit in enumerate(limits.tolist()):
        own = best == index

        def share(t: float, own: Tensor = own, index: int = index) -> float:
            taken = own & (confidence >= t)
            return (labels[taken] == index).double().mean().item() if taken.any() else math.nan

        lower = [t for t in confidence[own].tolist() if t < limit]
        assert all(share(t) < target for t in lower)
        if limit != NEVER:
            assert share(limit) >= target


def test_a_class_that_never_gets_there_is_never_given():
    probabilities = torch.tensor([[0.9, 0.1], [0.8, 0.2]])
    assert thresholds(probabilities, torch.tensor([1, 1]), 0.9).tolist() == [NEVER, NEVER]
    assert thresholds(probabilities, torch.tensor([1, 1])).tolist() == [NEVER, 0.0]


def test_equal_probabilities_are_taken_together():
    probabilities = torch.tensor([[0.8, 0.2]] * 4)
    limits = thresholds(probabilities, torch.tensor([0, 0, 1, 1]), 0.9)
    assert limits[0] == NEVER


@pytest.mark.parametrize("target", [0.0, -1.0, 1.5, math.nan])
def test_a_target_is_a_share(target: float):
    with pytest.raises(ArgumentError, match="is no share"):
        thresholds(torch.tensor([[0.9, 0.1]]), torch.tensor([0]), target)


def test_what_cannot_be_calibrated_on():
    with pytest.raises(ArgumentError, match="nothing to calibrate on"):
        temperature(torch.randn(3, 2), torch.full((3,), NONE_LABEL))
    with pytest.raises(ArgumentError, match="NaN or infinity"):
        temperature(torch.tensor([[math.nan, 0.0]]), torch.tensor([0]))


def test_the_quality_of_answers_by_hand():
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0], [0.0, 1.0]])
    labels = torch.tensor([0, 1, 1, NONE_LABEL])
    given_ = answered(logits.softmax(1), torch.tensor([0.5, 0.8]))
    assert given_.tolist() == [0, 1, 0, NONE_LABEL]
    found = quality(logits, labels, given_)
    assert found.answered == 0.75
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 3)
    assert found.rejected == 1.0
    assert found.nll == pytest.approx((2 * math.log1p(math.exp(-2)) + math.log1p(math.exp(2))) / 3)


def test_calibration_helps_on_pictures_that_took_no_part():
    logits, labels = sample(1000)
    labels[:200] = NONE_LABEL
    raw = quality(logits, labels, logits.argmax(1))
    checked = cross_checked(logits, labels, 0.9)
    assert checked.nll < raw.nll
    assert checked.ece < raw.ece
    assert checked.precision > raw.precision + 0.1
    assert checked.rejected > raw.rejected


def test_a_calibrated_head_has_both():
    encoder = FakeEncoder(dim=4)
    own = fingerprint(encoder, upright=False, normalized=False, bulk=False)
    head = Head(
        torch.eye(4), torch.zeros(4), tuple("abcd"), "linear probe", "embedding", False, own
    )
    features, labels = sample()
    found = calibrate(head, features, labels)
    assert found.head.temperature == pytest.approx(temperature(features, labels))
    assert found.head.thresholds is not None
    assert found.head.thresholds.shape == (4,)
    again = calibrate(found.head, features, labels)
    assert again.head.temperature == found.head.temperature
    assert torch.equal(again.head.thresholds, found.head.thresholds)
