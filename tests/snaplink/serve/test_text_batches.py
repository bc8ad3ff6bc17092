"""Texts are split into runs where that is the least work, and come back in their order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snaplink.fake_encoder import FakeEncoder
from snaplink.serve.text_batches import encode_texts, groups

RUN = 120
"""What a run costs by itself, in tokens."""


def cost(lengths: list[int], found: list[list[int]]) -> int:
    return sum(len(group) * max(lengths[each] for each in group) + RUN for group in found)


@given(st.lists(st.integers(3, 77), max_size=40))
def test_groups_have_every_text_once_and_cost_no_more_than_one_run(lengths):
    found = groups(lengths)
    assert sorted(position for group in found for position in group) == list(range(len(lengths)))
    assert cost(lengths, found) <= len(lengths) * max(lengths, default=0) + 120


@given(st.lists(st.integers(3, 77), min_size=1, max_size=7))
def test_no_other_split_of_the_sorted_texts_is_less_work(lengths):
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    splits = []
    for marks in range(2 ** (len(order) - 1)):
        split = [[order[0]]]
        for place, position in enumerate(order[1:]):
            if marks >> place & 1:
                split.append([position])
            else:
                split[-1].append(position)
        splits.append(split)
    assert cost(lengths, groups(lengths)) == min(cost(lengths, split) for split in splits)


def test_vectors_come_in_the_order_of_their_texts():
    fake = FakeEncoder(batch_size=32)
    lengths = [77, 3, 50, 4, 77, 5] * 5
    texts = [f"text {number}" for number in range(len(lengths))]
    found = encode_texts(fake)(list(zip(texts, lengths, strict=True)))
    assert len(fake.batches) > 1
    assert np.array_equal(np.stack(found), fake.encode_texts(texts, normalize=True).numpy())
