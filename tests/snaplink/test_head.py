"""Heads: what goes into a file comes out of it, and only for its own model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from snaplink.encoder import load_encoder
from snaplink.errors import ArgumentError, HeadError
from snaplink.fake_encoder import FakeEncoder
from snaplink.fingerprint import fingerprint
from snaplink.head import NONE, Head, HeadClassifier
from snaplink.penultimate import before_projection


def head_for(encoder: FakeEncoder, **changes: object) -> Head:
    chance = torch.Generator().manual_seed(0)
    head = Head(
        torch.randn(3, encoder.dim, generator=chance),
        torch.randn(3, generator=chance),
        ("cat", "grüner Hund", "cow"),
        "linear probe",
        "embedding",
        normalized=False,
        fingerprint=fingerprint(encoder, upright=False, normalized=False, bulk=False),
        recipe={"lambda": 3.16},
    )
    return replace(head, **changes)


@pytest.mark.parametrize("thresholds", [None, torch.tensor([0.5, 2.0, 0.0])])
def test_what_is_saved_is_loaded(tmp_path: Path, thresholds: torch.Tensor | None):
    head = head_for(FakeEncoder(), thresholds=thresholds, temperature=1.7, normalized=True)
    head.save(tmp_path / "head.safetensors")
    found = Head.load(tmp_path / "head.safetensors")
    assert torch.equal(found.weight, head.weight)
    assert torch.equal(found.bias, head.bias)
    assert found.class_names == head.class_names
    assert found.fingerprint.differences(head.fingerprint) == []
    assert (found.kind, found.features, found.normalized) == ("linear probe", "embedding", True)
    assert (found.temperature, found.recipe) == (1.7, {"lambda": 3.16})
    assert (found.thresholds is None) == (thresholds is None)
    assert thresholds is None or torch.equal(found.thresholds, thresholds)
    assert [path.name for path in tmp_path.iterdir()] == ["head.safetensors"]


def test_probabilities_are_of_the_features_as_they_were_learnt():
    x = torch.randn(4, 32)
    head = head_for(FakeEncoder(), normalized=True, temperature=2.0)
    expected = ((x / x.norm(dim=1, keepdim=True)) @ head.weight.T + head.bias) / 2
    assert torch.allclose(head.probabilities(x), expected.softmax(1))


def test_another_models_head_is_refused_and_told_what_differs():
    with pytest.raises(HeadError, match=r"another model: weights .*\(fake\), not .*--model fake"):
        head_for(FakeEncoder(dim=32)).check(FakeEncoder(dim=16))
    head_for(FakeEncoder()).check(FakeEncoder())


def test_a_head_of_another_width_is_told():
    head = head_for(FakeEncoder(), weight=torch.zeros(3, 5))
    with pytest.raises(HeadError, match=r"features of 5 numbers, but fake gives \d+: .*damaged"):
        head.check(FakeEncoder())


def test_a_classifier_ranks_by_the_head():
    encoder = FakeEncoder()
    head = head_for(encoder)
    picture = Image.new("RGB", (9, 9), "red")
    found = HeadClassifier(head, encoder)(picture)
    expected = head.probabilities(encoder.encode_pictures([picture]))[0]
    assert found.label == head.class_names[int(expected.argmax())]
    assert found.score == pytest.approx(expected.max().item())


def test_below_the_threshold_it_is_none_of_these():
    encoder = FakeEncoder()
    picture = Image.new("RGB", (9, 9), "red")
    sure = HeadClassifier(head_for(encoder, thresholds=torch.zeros(3)), encoder)(picture)
    unsure = HeadClassifier(head_for(encoder, thresholds=torch.full((3,), 2.0)), encoder)(picture)
    assert sure.label != NONE
    assert unsure.label == NONE
    assert unsure.score == pytest.approx(1 - sure.score)
    assert unsure.scores[1:] == sure.scores


def changed(path: Path, **changes: object) -> None:
    """The head's file with other words about it."""
    head = head_for(FakeEncoder())
    about = {
        "class_names": head.class_names,
        "kind": "linear probe",
        "features": "embedding",
        "normalized": False,
        "fingerprint": head.fingerprint.to_json(),
        "recipe": {},
        "temperature": 1.0,
    }
    tensors = {"weight": head.weight, "bias": head.bias}
    tensors |= {name: changes.pop(name) for name in ("weight", "bias") if name in changes}
    metadata = {"format": "snaplink head 1", "head": json.dumps(about | changes)}
    save_file(tensors, path, metadata)


@pytest.mark.parametrize(
    "changes",
    [
        {"class_names": ["only one"]},
        {"temperature": 0},
        {"temperature": "hot"},
        {"temperature": float("inf")},
        {"features": "tail"},
        {"fingerprint": {}},
        {"fingerprint": 3},
        {"recipe": 3},
        {"bias": torch.zeros(5)},
        {"weight": torch.zeros(3)},
        {"bias": torch.full((3,), torch.nan)},
        {"weight": torch.zeros(3, 32, dtype=torch.float64)},
    ],
)
def test_a_damaged_head_is_told(tmp_path: Path, changes: dict[str, object]):
    changed(tmp_path / "head", **changes)
    with pytest.raises(HeadError, match=r"head is damaged \(.*\): make it again"):
        Head.load(tmp_path / "head")


@pytest.mark.parametrize("content", [b"", b"no head", b"\xff" * 64, b"\x02" + bytes(7) + b"{}"])
def test_what_is_no_head_is_told(tmp_path: Path, content: bytes):
    (tmp_path / "head").write_bytes(content)
    with pytest.raises(HeadError, match=r"is no head: .*made by snaplink probe"):
        Head.load(tmp_path / "head")


def test_a_checkpoint_is_no_head(tmp_path: Path):
    save_file({"weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(HeadError, match="does not say that it is one"):
        Head.load(tmp_path / "other.safetensors")


def test_every_cut_of_a_file_is_noticed(tmp_path: Path):
    head_for(FakeEncoder()).save(tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes()
    for length in range(0, len(content), 37):
        (tmp_path / "cut").write_bytes(content[:length])
        with pytest.raises(HeadError):
            Head.load(tmp_path / "cut")


def test_the_features_before_the_projection_project_to_the_embedding():
    encoder = load_encoder("tiny", "cpu")
    pictures = [Image.new("RGB", (64, 64), colour) for colour in ("red", "white")]
    inner = before_projection(encoder).encode_pictures(pictures)
    projection = encoder.model.visual.proj.detach()
    assert inner.shape == (2, projection.shape[0])
    assert torch.allclose(inner @ projection, encoder.encode_pictures(pictures), atol=1e-5)
    assert encoder.model.visual.proj is not None


def test_what_has_no_projection_to_leave_out_says_so():
    with pytest.raises(ArgumentError, match=r"no vision tower .* use --features embedding"):
        before_projection(FakeEncoder())
