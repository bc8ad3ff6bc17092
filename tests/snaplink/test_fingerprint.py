"""Whose features are these?"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from snaplink.encoder import load_encoder
from snaplink.fake_encoder import FakeEncoder
from snaplink.fingerprint import Fingerprint, fingerprint


@pytest.fixture
def tiny() -> Fingerprint:
    return fingerprint(load_encoder("tiny"), upright=True, normalized=True, bulk=False)


def test_it_says_what_the_model_sees(tiny: Fingerprint):
    assert tiny.model == "tiny"
    assert tiny.architecture["embed_dim"] == 128
    assert tiny.preprocessing["size"] == 64
    assert tiny.preprocessing["mode"] == "shortest"
    assert tiny.preprocessing["interpolation"] == "bicubic"
    assert tiny.preprocessing["mean"] == [0.48145466, 0.4578275, 0.40821073]
    assert tiny.preprocessing["upright"] is True
    assert tiny.preprocessing["path"] == "exact"
    assert tiny.precision == "fp32"


def test_it_goes_through_json(tiny: Fingerprint):
    again = Fingerprint.from_json(json.loads(json.dumps(tiny.to_json())))
    assert again == tiny
    assert again.differences(tiny) == []


def test_a_fake_encoder_has_one_too():
    fake = fingerprint(FakeEncoder(), upright=False, normalized=False, bulk=False)
    assert fake.preprocessing["mode"] == "custom"
    assert (
        fake.weights_sha256
        != fingerprint(
            FakeEncoder(dim=16), upright=False, normalized=False, bulk=False
        ).weights_sha256
    )


@pytest.mark.parametrize(
    ("steps", "mode"),
    [
        ({"resize_mode": "shortest"}, "shortest"),
        ({"resize_mode": "longest"}, "longest"),
        ({"resize_mode": "squash"}, "squash"),
    ],
)
def test_the_mode_of_other_preprocessings(steps: dict[str, Any], mode: str):
    from clip.preprocess import transform

    encoder = load_encoder("tiny")
    encoder.preprocess = transform(64, interpolation="bilinear", **steps)
    made = fingerprint(encoder, upright=True, normalized=True, bulk=False)
    assert made.preprocessing["mode"] == mode
    assert made.preprocessing["interpolation"] == "bilinear"


@pytest.mark.parametrize(
    ("change", "difference", "strange"),
    [
        ({"model": "another name"}, None, False),
        ({"origin": "imported"}, None, False),
        ({"weights_sha256": "00" * 32}, "weights", True),
        ({"architecture": {"embed_dim": 512}}, "embed_dim 128, not 512", True),
        ({"preprocessing": {"size": 224}}, "preprocessing size 64, not 224", True),
        ({"preprocessing": {"upright": False}}, "upright True, not False", False),
        ({"preprocessing": {"path": "bulk"}}, "path exact, not bulk", False),
        ({"precision": "int8"}, "precision fp32, not int8", False),
        ({"normalized": False}, "vectors of length 1, not raw vectors", False),
    ],
)
def test_what_differs_and_whether_it_forbids_a_comparison(
    tiny: Fingerprint, change: dict[str, Any], difference: str | None, strange: bool
):
    other = replace(tiny, **change)
    differences = tiny.differences(other)
    assert (difference is None) == (differences == [])
    assert difference is None or difference in differences[0]
    assert bool(tiny.strangeness(other)) == strange


@pytest.mark.parametrize(
    "damage", [{"model": 3}, {"normalized": 1}, {"architecture": None}, {"precision": ["fp32"]}]
)
def test_json_that_is_none(tiny: Fingerprint, damage: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(damage))):
        Fingerprint.from_json({**tiny.to_json(), **damage})
    with pytest.raises(ValueError, match="model is no str"):
        Fingerprint.from_json({})
