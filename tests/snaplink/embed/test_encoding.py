"""Batches are as large as the device has memory for; captions are cut, not refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from snaplink.embed.encoding import Modalities, encode, gathered
from snaplink.embed.items import Decoded, Failed, Stamp, Unchanged
from snaplink.encoder import load_encoder
from snaplink.fake_encoder import FakeEncoder


def outcome(key: str, caption: str | None = None):
    pixels = np.full((3, 8, 8), int(key), np.uint8)
    return Decoded(key, key, Stamp(), 8, 8, caption, {}), pixels


def test_outcomes_come_in_batches_and_none_is_left_out():
    outcomes = [outcome(str(number)) for number in range(5)]
    outcomes[1:1] = [(Failed("a", "bad"), None), (Unchanged("b"), None)]
    batches = list(gathered(outcomes, 2))
    assert [[row.key for row in each.batch.rows] for each in batches] == [
        ["0", "1"],
        ["2", "3"],
        ["4"],
    ]
    assert sum(len(each.batch.failed) + len(each.batch.unchanged) for each in batches) == 2


def test_many_bad_ones_do_not_wait_for_a_good_one():
    batches = list(gathered([(Failed(str(n), "bad"), None) for n in range(100)], 4))
    assert max(len(each.batch.failed) for each in batches) <= 16


class Small(FakeEncoder):
    """A device with memory for three pictures."""

    def _pictures(self, pixels):
        if len(pixels) > 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return super()._pictures(pixels)


def test_a_batch_that_does_not_fit_is_halved():
    outcomes = [outcome(str(number)) for number in range(8)]
    (whole,) = list(gathered(outcomes, 9))
    small = Small(batch_size=8)
    batch = encode(whole, small, Modalities())
    assert small.batch_size == 2
    expected = encode(whole, FakeEncoder(), Modalities()).image
    assert np.array_equal(batch.image, expected)


def test_one_picture_that_does_not_fit_is_an_error():
    class Nothing(Small):
        def _pictures(self, pixels):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    (whole,) = list(gathered([outcome("1")], 2))
    with pytest.raises(torch.cuda.OutOfMemoryError):
        encode(whole, Nothing(batch_size=2), Modalities())


def test_long_captions_are_cut():
    (whole,) = list(gathered([outcome("1", "cat " * 500)], 2))
    batch = encode(whole, load_encoder("tiny"), Modalities(image=False, text=True))
    assert np.isfinite(batch.text).all()
    assert batch.has_text == [True]
