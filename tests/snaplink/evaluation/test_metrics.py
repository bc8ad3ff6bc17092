"""The figures, against scikit-learn's and torchmetrics' own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn
from torchmetrics import functional as torchmetrics

from snaplink.evaluation import metrics


@pytest.fixture(scope="module")
def answers():
    """Scores with ties, of 500 pictures and 7 classes of very unequal size."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(7, (500,), generator=generator) % 5 + torch.arange(500) % 3
    scores = torch.randn(500, 7, generator=generator)
    scores[torch.arange(500), labels] += 1.2
    return (scores * 4).round() / 4, labels


def test_top_k_is_that_of_torchmetrics_where_nothing_ties():
    generator = torch.Generator().manual_seed(2)
    scores, labels = torch.randn(400, 9, generator=generator), torch.randint(9, (400,))
    for k in (1, 5):
        theirs = torchmetrics.classification.multiclass_accuracy(
            scores, labels, 9, average="micro", top_k=k
        )
        assert metrics.top_k(scores, labels, k).float().mean() == pytest.approx(theirs.item())


def test_of_equal_scores_the_first_class_is_the_answer(answers):
    scores, labels = answers
    given = scores.argmax(1)  # the first of equal ones
    assert torch.equal(metrics.top_k(scores, labels, 1), given == labels)


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_ranks_are_places_in_the_stable_order(rows):
    scores = torch.tensor(rows).float()
    labels = torch.arange(len(rows)) % 4
    order = scores.argsort(dim=1, descending=True, stable=True)
    expected = [
        row.tolist().index(label) for row, label in zip(order, labels.tolist(), strict=True)
    ]
    assert metrics.ranks(scores, labels).tolist() == expected


def test_the_mean_per_class_is_balanced_accuracy(answers):
    scores, labels = answers
    right = metrics.top_k(scores, labels, 1)
    expected = sklearn.balanced_accuracy_score(labels, scores.argmax(1))
    assert metrics.per_class(right, labels, 7).nanmean().item() == pytest.approx(expected)
    assert metrics.per_class(right, labels, 9)[-1].isnan()


def test_the_confusion_matrix(answers):
    scores, labels = answers
    expected = sklearn.confusion_matrix(labels, scores.argmax(1), labels=range(7))
    np.testing.assert_array_equal(metrics.confusion(labels, scores.argmax(1), 7), expected)


def test_the_calibration_error_is_that_of_torchmetrics(answers):
    scores, labels = answers
    chances = scores.double().softmax(1)
    sureness, given = chances.max(1)
    found = metrics.calibration(sureness, given == labels)
    theirs = torchmetrics.classification.multiclass_calibration_error(
        chances, labels, 7, n_bins=15, norm="l1"
    )
    assert found.error == pytest.approx(theirs.item(), abs=1e-6)
    assert sum(found.counts) == 500
    empty = [i for i, count in enumerate(found.counts) if not count]
    assert empty
    assert all(math.isnan(found.accuracy[i]) for i in empty)


def test_average_precision_with_and_without_ties(answers):
    scores, labels = answers
    for column in range(7):
        positive = labels == column
        for values in (scores[:, column], scores[:, column] + torch.rand(500) / 100):
            expected = sklearn.average_precision_score(positive, values)
            found = metrics.average_precision(values, positive)
            assert found.item() == pytest.approx(expected, abs=1e-9)
    assert metrics.average_precision(scores[:, 0], torch.zeros(500, dtype=torch.bool)).isnan()


def test_weights_of_average_precision_are_repetitions(answers):
    scores, labels = answers
    counts = torch.randint(3, (2, 500), generator=torch.Generator().manual_seed(3))
    found = metrics.average_precision(scores[:, 1], labels == 1, counts.double())
    for row, value in zip(counts, found.tolist(), strict=True):
        expected = sklearn.average_precision_score(
            (labels == 1).repeat_interleave(row), scores[:, 1].repeat_interleave(row)
        )
        assert value == pytest.approx(expected, abs=1e-9)


def test_recall_is_that_of_clip_benchmarks_definition():
    generator = torch.Generator().manual_seed(4)
    pictures = torch.nn.functional.normalize(torch.randn(40, 8, generator=generator), dim=1)
    owners = [i for i in range(40) for _ in range(1 + i % 3)]
    texts = pictures[owners] + 0.4 * torch.randn(len(owners), 8, generator=generator)
    positives = [[t for t, owner in enumerate(owners) if owner == i] for i in range(40)]
    ranks = metrics.retrieval_ranks(pictures, texts, positives)
    for k in (1, 5, 10):
        first = (pictures @ texts.T).topk(k).indices.tolist()
        hits = [bool(set(row) & set(own)) for row, own in zip(first, positives, strict=True)]
        assert (ranks < k).tolist() == hits
