"""Exact search beside the plainest way of doing it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from snaplink.search import exact, nearest
from snaplink.vectors import Block, Vectors


def in_blocks(matrix: Any, sizes: list[int]) -> Vectors:
    parts = np.split(matrix, np.cumsum(sizes)[:-1])
    blocks = [Block(len(part), lambda part=part: part) for part in parts]
    return Vectors(blocks, matrix.shape[1], matrix.dtype)


def brute_force(
    matrix: Any, query: Any, top: int, allowed: Any = None, unit: bool = True
) -> list[tuple[int, float]]:
    rows = matrix.astype(np.float64)
    with np.errstate(all="ignore"):
        scores = rows @ query.astype(np.float64)
        if not unit:
            scores = scores / np.linalg.norm(rows, axis=1)
    scores = scores.astype(np.float32)
    good = np.isfinite(scores) & (True if allowed is None else allowed)
    order = sorted(np.flatnonzero(good), key=lambda row: (-scores[row], row))
    return [(int(row), float(scores[row])) for row in order[:top]]


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """Few values, so that ties and equal rows abound; NaN and infinity; blocks of any size."""
    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    values = st.sampled_from([0, 1, -1, 0.5, 0.25, np.nan, np.inf])
    dim = draw(st.integers(1, 4))
    dtype = draw(st.sampled_from([np.float16, np.float32]))
    matrix = draw(arrays.arrays(dtype, (sum(sizes), dim), elements=values))
    query = draw(arrays.arrays(np.float32, dim, elements=st.sampled_from([0, 1, -1, 0.5])))
    allowed = draw(st.none() | arrays.arrays(np.bool_, sum(sizes)))
    top = draw(st.integers(1, 50))
    return {"matrix": matrix, "sizes": sizes, "query": query, "allowed": allowed, "top": top}


@pytest.mark.parametrize("unit", [True, False])
@settings(deadline=None, max_examples=150)
@given(case=cases())
def test_it_finds_what_brute_force_finds(case: dict[str, Any], unit: bool):
    vectors = in_blocks(case["matrix"], case["sizes"])
    [found] = nearest(vectors, case["query"], case["top"], allowed=case["allowed"], unit=unit)
    expected = brute_force(case["matrix"], case["query"], case["top"], case["allowed"], unit)
    assert found.positions.tolist() == [row for row, _ in expected]
    assert found.scores.tolist() == pytest.approx([score for _, score in expected], abs=1e-6)


@pytest.mark.parametrize("piece", [1, 100, 1 << 21])
@pytest.mark.parametrize("share", [None, 0.9, 0.05])
def test_pieces_batches_and_gathering_change_nothing(drawn, monkeypatch, piece, share):
    monkeypatch.setattr(exact, "_PIECE", piece)
    monkeypatch.setattr(exact, "_QUERIES", 3)
    matrix, queries = drawn(500), drawn(7, seed=1).astype(np.float32)
    allowed = None if share is None else np.random.default_rng(2).random(500) < share
    found = nearest(in_blocks(matrix, [200, 1, 299]), queries, 5, allowed=allowed)
    for ranked, query in zip(found, queries, strict=True):
        expected = brute_force(matrix, query, 5, allowed)
        assert ranked.positions.tolist() == [row for row, _ in expected]


def test_many_candidates_are_settled_in_between(drawn, monkeypatch):
    monkeypatch.setattr(exact, "_PIECE", 16 * 8)
    matrix = np.tile(drawn(4000), (20, 1))
    [found] = nearest(Vectors.of(matrix), matrix[:1], 30_000)
    assert len(found) == 30_000
    assert found.positions[:20].tolist() == list(range(0, 80_000, 4000))
    assert (np.diff(found.scores) <= 0).all()


def test_rows_without_vectors_match_nothing(drawn):
    matrix = drawn(10)
    matrix[::2] = np.nan
    [found] = nearest(Vectors.of(matrix), matrix[1], 100)
    assert found.positions[0] == 1
    assert sorted(found.positions.tolist()) == [1, 3, 5, 7, 9]


def test_an_empty_store_and_a_mask_that_allows_nothing(drawn):
    empty = Vectors([], 16, np.float16)
    assert [len(found) for found in nearest(empty, drawn(2).astype(np.float32), 5)] == [0, 0]
    vectors = Vectors.of(drawn(20))
    [found] = nearest(vectors, drawn(1).astype(np.float32), 5, allowed=np.zeros(20, bool))
    assert len(found) == 0


def test_blocks_that_are_not_writable_are_searched_without_a_warning(drawn):
    matrix = drawn(10)
    matrix.flags.writeable = False
    [found] = nearest(Vectors.of(matrix), matrix[3], 1)
    assert found.positions.tolist() == [3]
