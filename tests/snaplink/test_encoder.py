"""Pictures and texts to features, in batches."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

import clip
from snaplink.encoder import ClipEncoder, load_encoder
from snaplink.errors import ArgumentError
from snaplink.fake_encoder import FakeEncoder

PICTURES = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
TEXTS = ["a cat", "a dog", "a red apple"]


def test_features_are_the_models_own_whatever_the_batches() -> None:
    model, preprocess = clip.load("tiny", device="cpu")
    encoder = ClipEncoder(model, preprocess, batch_size=2)
    with torch.no_grad():
        pictures = model.encode_image(torch.stack([preprocess(each) for each in PICTURES]))
        texts = model.encode_text(clip.tokenize(TEXTS))
    torch.testing.assert_close(encoder.encode_pictures(PICTURES), pictures, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(encoder.encode_texts(TEXTS), texts, rtol=1e-4, atol=1e-5)
    assert encoder.dim == pictures.shape[1]


def test_no_batch_is_larger_than_asked() -> None:
    encoder = FakeEncoder(batch_size=2)
    encoder.encode_pictures(PICTURES)
    encoder.encode_texts(TEXTS)
    assert encoder.batches == [2, 1, 2, 1]


def test_normalised_features_have_length_1_and_the_same_direction() -> None:
    encoder = FakeEncoder()
    for encode, inputs in ((encoder.encode_pictures, PICTURES), (encoder.encode_texts, TEXTS)):
        raw, unit = encode(inputs), encode(inputs, normalize=True)
        lengths = raw.norm(dim=1, keepdim=True)
        assert (lengths > 1.5).all()
        torch.testing.assert_close(unit, raw / lengths)


def test_nothing_gives_no_features() -> None:
    encoder = FakeEncoder(dim=7)
    assert encoder.encode_pictures([]).shape == (0, 7)
    assert encoder.encode_texts([]).shape == (0, 7)


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(ArgumentError, match="the device 'abacus' cannot be used"):
        load_encoder("tiny", "abacus")
