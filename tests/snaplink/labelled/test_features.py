"""Features of labelled pictures, computed or kept in a store."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from snaplink import labelled
from snaplink.errors import ArgumentError, PictureError
from snaplink.fake_encoder import FakeEncoder
from snaplink.fingerprint import fingerprint
from snaplink.labelled.data import Stored


def test_features_are_what_the_encoder_gives_of_each_picture(folders):
    encoder = FakeEncoder(batch_size=2)
    data = labelled.open(folders)
    found = labelled.features(data, encoder)
    expected = encoder.encode_pictures([sample.picture() for sample in data.samples])
    torch.testing.assert_close(found.matrix, expected)
    assert found.labels.tolist() == [0, 0, 1]
    assert found.keys == ("cat/a.png", "cat/b.png", "red_apple/more/c.png")
    assert found.fingerprint == fingerprint(encoder, upright=False, normalized=False, bulk=False)


def test_a_bad_picture_is_left_out_with_its_label(folders):
    (folders / "cat" / "a.png").write_bytes(b"no picture")
    bad = []
    found = labelled.features(labelled.open(folders), FakeEncoder(), on_bad=bad.append)
    assert found.keys == ("cat/b.png", "red_apple/more/c.png")
    assert (found.positions, found.labels.tolist()) == ((1, 2), [0, 1])
    assert len(bad) == 1
    with pytest.raises(PictureError):
        labelled.features(labelled.open(folders), FakeEncoder())


def test_not_one_usable_picture(folders):
    for path in folders.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(ArgumentError, match="not one of its 3 pictures can be used"):
        labelled.features(labelled.open(folders), FakeEncoder(), on_bad=lambda error: None)


def test_features_of_another_layer(folders):
    found = labelled.features(
        labelled.open(folders), FakeEncoder(), encode=lambda pixels: pixels.flatten(1)[:, :5]
    )
    assert found.matrix.shape == (3, 5)


def test_nan_is_refused_and_says_where(folders):
    def broken(pixels):
        features = torch.ones(len(pixels), 4)
        features[-1, 2] = torch.nan
        return features

    with pytest.raises(ArgumentError, match=r"hold NaN or infinity.*red_apple.*fp32"):
        labelled.features(labelled.open(folders), FakeEncoder(), encode=broken)


def kept(data, encoder, matrix, **other):
    made = fingerprint(encoder, upright=True, normalized=True, bulk=True)
    return replace(data, stored=Stored(replace(made, **other), lambda: matrix))


def test_kept_features_need_no_picture(folders):
    data, encoder = labelled.open(folders), FakeEncoder()
    for path in folders.rglob("*.png"):
        path.unlink()
    matrix = np.eye(3, encoder.dim, dtype=np.float32)
    matrix[1] = np.nan  # a picture that could not be embedded
    found = labelled.features(kept(data, encoder, matrix), encoder)
    assert found.positions == (0, 2)
    assert found.matrix.tolist() == matrix[[0, 2]].tolist()
    assert found.fingerprint.normalized


def test_features_of_another_model_are_refused(folders):
    data, encoder = labelled.open(folders), FakeEncoder()
    strange = kept(data, encoder, np.eye(3, encoder.dim), weights_sha256="ab" * 32)
    with pytest.raises(ArgumentError, match=r"its features are another model's.*--model"):
        labelled.features(strange, encoder)
    with pytest.raises(ArgumentError, match="features of no other layer"):
        labelled.features(kept(data, encoder, np.eye(3, 32)), encoder, encode=torch.flatten)
