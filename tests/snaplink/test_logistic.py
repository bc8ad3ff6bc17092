"""Logistic regression: the optimum that scikit-learn finds, and better where it stops short."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from snaplink.logistic import Fit, LogisticPath


def clip_like(n: int, width: int, classes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Overlapping classes with a falling spectrum and a common offset, as CLIP's features have."""
    chance = torch.Generator().manual_seed(seed)
    deviations = torch.arange(1, width + 1) ** -0.5
    labels = torch.arange(n) % classes
    means = 0.4 * torch.randn(classes, width, generator=chance) * deviations
    noise = torch.randn(n, width, generator=chance) * deviations
    return 3 * (means[labels] + noise + torch.randn(width, generator=chance)), labels


def objective(fit: Fit, x: Tensor, y: Tensor) -> float:
    """J in float64, written out."""
    weight, bias = fit.weight.double(), fit.bias.double()
    loss = F.cross_entropy(x.double() @ weight.T + bias, y, reduction="sum")
    return (loss + fit.strength / 2 * weight.square().sum()).item()


@pytest.mark.parametrize("strength", [1e4, 1e2, 3.16, 0.1])
def test_the_optimum_is_scikit_learns_with_c_one_over_lambda(strength: float):
    x, y = clip_like(600, 24, 6)
    fit = LogisticPath(x, y, 6, tolerance=1e-6).fit(strength)
    peer = LogisticRegression(C=1 / strength, tol=1e-8, max_iter=10_000)
    peer.fit(x.double().numpy(), y.numpy())
    found = Fit(
        strength, torch.from_numpy(peer.coef_), torch.from_numpy(peer.intercept_), 0, 0, 0, True
    )
    assert fit.converged
    assert objective(fit, x, y) == pytest.approx(objective(found, x, y), rel=1e-5)
    same = fit.logits(x).argmax(1) == torch.from_numpy(peer.predict(x.numpy()))
    assert same.float().mean() >= 0.998


def test_another_mapping_would_not_do():
    x, y = clip_like(300, 12, 4)
    fit = LogisticPath(x, y, 4).fit(10.0)
    wrong = LogisticRegression(C=10.0, tol=1e-8, max_iter=10_000).fit(x.numpy(), y.numpy())
    assert not np.allclose(fit.weight.numpy(), wrong.coef_, rtol=0.1)


def test_it_says_its_objective_and_gradient():
    x, y = clip_like(200, 8, 3)
    fit = LogisticPath(x, y, 3).fit(1.0)
    weight = fit.weight.double().requires_grad_()
    bias = fit.bias.double().requires_grad_()
    loss = F.cross_entropy(x.double() @ weight.T + bias, y, reduction="sum")
    (loss + weight.square().sum() / 2).backward()
    assert fit.objective == pytest.approx(objective(fit, x, y), rel=1e-5)
    steepest = max(weight.grad.abs().max().item(), bias.grad.abs().max().item()) / 200
    assert steepest <= 1.5e-4


@pytest.mark.parametrize(("n", "width"), [(30, 100), (100, 100), (8, 3)])
def test_few_pictures_in_many_dimensions_and_the_reverse(n: int, width: int):
    x, y = clip_like(n, width, 4)
    fit = LogisticPath(x, y, 4, tolerance=1e-6).fit(0.5)
    peer = LogisticRegression(C=2.0, tol=1e-9, max_iter=10_000)
    peer.fit(x.double().numpy(), y.numpy())
    assert torch.allclose(fit.weight.double(), torch.from_numpy(peer.coef_), atol=2e-3)


def test_a_warm_start_ends_where_a_cold_one_does():
    x, y = clip_like(400, 16, 5)
    path = LogisticPath(x, y, 5, tolerance=1e-6)
    for strength in (1e6, 1e2, 1.0):
        warm = path.fit(strength)
    cold = LogisticPath(x, y, 5, tolerance=1e-6).fit(1.0)
    assert warm.objective == pytest.approx(cold.objective, rel=1e-5)
    assert path.fit(1.0) is warm


def test_separable_classes_and_a_weak_penalty_have_an_optimum_all_the_same():
    x, y = clip_like(60, 80, 4)
    fit = LogisticPath(x, y, 4).fit(1e-6)
    assert fit.converged
    assert (fit.logits(x).argmax(1) == y).all()
    assert fit.objective < 0.01


def test_an_offset_takes_part_in_the_fit():
    """With the penalty on W - W0: what is learnt for x W0' as offset is W - W0."""
    x, y = clip_like(300, 10, 4)
    prior = torch.randn(4, 10, generator=torch.Generator().manual_seed(1))
    fit = LogisticPath(x, y, 4, offset=x @ prior.T, tolerance=1e-6).fit(2.0)
    whole = (fit.weight + prior).double().requires_grad_()
    bias = fit.bias.double().requires_grad_()
    loss = F.cross_entropy(x.double() @ whole.T + bias, y, reduction="sum")
    (loss + (whole - prior.double()).square().sum()).backward()
    assert whole.grad.abs().max().item() / 300 < 1e-5


def test_equal_runs_give_equal_bits():
    x, y = clip_like(300, 20, 5)
    one, other = (LogisticPath(x, y, 5).fit(0.3) for _ in range(2))
    assert torch.equal(one.weight, other.weight)
    assert torch.equal(one.bias, other.bias)


def test_a_fit_that_may_not_go_on_says_so():
    x, y = clip_like(300, 20, 5)
    fit = LogisticPath(x, y, 5, max_iterations=1).fit(1e-3)
    assert fit.iterations == 1
    assert not fit.converged


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), shift=st.floats(-20, 20), strength=st.floats(0.05, 50))
def test_a_shift_of_all_features_changes_only_the_biases(seed: int, shift: float, strength: float):
    x, y = clip_like(60, 5, 3, seed)
    here = LogisticPath(x, y, 3, tolerance=1e-6).fit(strength)
    there = LogisticPath(x + shift, y, 3, tolerance=1e-6).fit(strength)
    assert torch.allclose(here.weight, there.weight, atol=5e-3)
    assert torch.allclose(here.logits(x).softmax(1), there.logits(x + shift).softmax(1), atol=5e-3)
