"""Vectors in blocks behave as one matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaplink.vectors import Block, Vectors


@given(
    sizes=st.lists(st.integers(0, 4), max_size=5),
    data=st.data(),
)
def test_blocks_are_one_matrix(sizes: list[int], data: st.DataObject):
    whole = np.arange(sum(sizes) * 3, dtype=np.float16).reshape(-1, 3)
    parts = np.split(whole, np.cumsum(sizes)[:-1]) if sizes else []
    blocks = [Block(len(part), lambda part=part: part) for part in parts]
    vectors = Vectors(blocks, 3, "float16")
    assert len(vectors) == len(whole)
    np.testing.assert_array_equal(vectors.to_numpy(), whole)
    for start, block in vectors.blocks():
        np.testing.assert_array_equal(block, whole[start : start + len(block)])
    if len(whole):
        positions = data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=8))
        taken = vectors.take(positions)
        assert taken.dtype == np.float32
        np.testing.assert_array_equal(taken, whole[positions])


@pytest.mark.parametrize("position", [-1, 2])
def test_no_such_row(position: int):
    with pytest.raises(IndexError, match=f"row {position} of 2"):
        Vectors.of(np.zeros((2, 3), np.float32)).take([0, position])


def test_missing_ones_are_counted():
    matrix = np.array([[1, 0], [np.nan, np.nan]], np.float16)
    assert Vectors.of(matrix).missing == 1
