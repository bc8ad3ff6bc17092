"""Groups of like pictures."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from snaplink import clusters as library
from snaplink.clusters import cluster, names_of
from snaplink.errors import ArgumentError
from snaplink.vectors import Vectors


def of(matrix: Any) -> Any:
    return SimpleNamespace(vectors=lambda modality: Vectors.of(matrix), path="s.store")


def blobs(*sizes: int) -> Any:
    rng = np.random.default_rng(0)
    rows = np.repeat(np.eye(8)[: len(sizes)], sizes, axis=0)
    return (rows + 0.01 * rng.standard_normal(rows.shape)).astype(np.float16)


@pytest.mark.parametrize("at_once", [7, 8192])
def test_what_lies_together_is_a_group_and_the_largest_is_first(monkeypatch, at_once):
    monkeypatch.setattr(library, "_AT_ONCE", at_once)
    found = cluster(of(blobs(10, 30, 20)), 3)
    assert found.of_row.tolist() == [2] * 10 + [0] * 30 + [1] * 20
    assert np.allclose(np.linalg.norm(found.centres, axis=1), 1)
    members = found.members(1)
    assert sorted(members) == list(range(40, 60))
    assert (np.diff(found.scores[members]) <= 0).all()


def test_rows_without_vectors_are_in_no_group():
    matrix = blobs(10, 10)
    matrix[3] = np.nan
    found = cluster(of(matrix), 2)
    assert np.flatnonzero(found.of_row == -1).tolist() == [3]
    assert np.isnan(found.scores[3])


def test_a_sample_finds_the_same_groups(monkeypatch):
    monkeypatch.setattr(library, "_SAMPLED", 20)
    monkeypatch.setattr(library, "_SAMPLED_FOR_EACH", 20)
    found = cluster(of(blobs(200, 100)), 2)
    assert np.bincount(found.of_row).tolist() == [200, 100]


def test_names_come_from_the_nearest_labels():
    found = cluster(of(blobs(20, 10)), 2)
    words = np.eye(8)[[1, 0]] + 5 * np.eye(8)[[7, 7]]  # far from all pictures, in one direction
    assert names_of(found, ["dog", "cat"], words) == ["cat", "dog"]


@pytest.mark.parametrize("k", [0, -1, 21, 1000])
def test_no_such_number_of_groups(k):
    with pytest.raises(ArgumentError, match="choose 1 to 20"):
        cluster(of(blobs(20)), k)


def test_as_many_groups_as_pictures():
    assert sorted(cluster(of(np.eye(8, dtype=np.float16)), 8).of_row) == list(range(8))


def test_fewer_different_pictures_than_groups():
    matrix = np.repeat(np.eye(8, dtype=np.float16)[:2], [3, 5], axis=0)
    found = cluster(of(matrix), 4)
    assert len(found.centres) == 2
    assert found.of_row.tolist() == [1] * 3 + [0] * 5


def test_many_groups_of_many_rows_are_made_in_batches(monkeypatch):
    monkeypatch.setattr(library, "_COMPARED_IN_FULL", 0)
    found = cluster(of(blobs(200, 100)), 2)
    assert np.bincount(found.of_row).tolist() == [200, 100]
