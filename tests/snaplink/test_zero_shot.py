"""The classifier, run on features from hashes, against the formula written out in numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from snaplink import ArgumentError, PictureError, ZeroShotClassifier
from snaplink.fake_encoder import FakeEncoder
from snaplink.zero_shot import probabilities

LABELS = ["cat", "dog", "red apple"]


@pytest.fixture
def classifier() -> ZeroShotClassifier:
    return ZeroShotClassifier(FakeEncoder(), LABELS)


def noise(seed: int) -> Image.Image:
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    )


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{seed}.png" for seed in range(11)]
    for seed, path in enumerate(paths):
        noise(seed).save(path)
    return paths


def test_probabilities_are_the_softmax_of_scaled_cosines():
    random = np.random.default_rng(0)
    features = random.normal(size=(5, 8)) * 7
    weights = random.normal(size=(3, 8))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    cosines = features @ weights.T / np.linalg.norm(features, axis=1, keepdims=True)
    expected = np.exp(20 * cosines) / np.exp(20 * cosines).sum(1, keepdims=True)
    found = probabilities(torch.tensor(features), torch.tensor(weights), 20.0)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10)


def test_a_picture_that_is_like_a_label_gets_it():
    class Knowing(FakeEncoder):
        """Sees a blue picture as the text "a photo of a dog."."""

        def _pictures(self, pixels):
            return self._texts(["a photo of a dog."] * len(pixels), False)

    prediction = ZeroShotClassifier(Knowing(), LABELS)(Image.new("RGB", (9, 9), "blue"))
    assert prediction.label == "dog"
    assert prediction.score > 0.99
    assert {each.label for each in prediction.scores} == set(LABELS)
    assert sum(each.score for each in prediction.scores) == pytest.approx(1)
    scores = [each.score for each in prediction.scores]
    assert scores == sorted(scores, reverse=True)


def test_paths_pictures_and_tensors_give_the_same(classifier, paths):
    picture = Image.open(paths[3])
    pixels = classifier.encoder.pixels(picture)
    by_path = classifier(paths[3])
    assert by_path.picture == str(paths[3])
    assert classifier(str(paths[3])) == by_path
    assert classifier(picture).scores == classifier(pixels).scores == by_path.scores
    assert classifier(picture).picture is None


def test_a_stream_keeps_order_and_runs_full_batches(classifier, paths):
    classifier.encoder.batches.clear()
    predictions = list(classifier.stream(paths))
    assert [prediction.picture for prediction in predictions] == [str(path) for path in paths]
    assert classifier.encoder.batches == [4, 4, 3]
    alone = [classifier(path) for path in paths]
    assert [each.label for each in predictions] == [each.label for each in alone]
    assert [each.score for each in predictions] == pytest.approx([each.score for each in alone])


def test_a_bad_picture_is_raised_or_left_out(classifier, paths):
    paths[5].write_bytes(b"")
    with pytest.raises(PictureError, match="an empty file"):
        list(classifier.stream(paths))
    problems = []
    predictions = list(classifier.stream(paths, problems.append))
    assert len(predictions) == 10
    assert [error.picture for error in problems] == [str(paths[5])]


def test_what_cannot_be_used_is_said_before_a_model_is_loaded():
    with pytest.raises(ArgumentError, match="given twice"):
        ZeroShotClassifier("no such model", ["cat", "cat"])
    with pytest.raises(ArgumentError, match="where the label goes"):
        ZeroShotClassifier("no such model", LABELS, ["a photo"])


def test_a_tensor_of_another_shape_is_refused(classifier):
    with pytest.raises(ArgumentError, match=r"has shape \[3, 9, 9\].* has \[3, 8, 8\]"):
        classifier(torch.zeros(3, 9, 9))


def test_several_templates_are_averaged(paths):
    one = ZeroShotClassifier(FakeEncoder(), LABELS, ["a {}"])
    other = ZeroShotClassifier(FakeEncoder(), LABELS, ["the {}"])
    both = ZeroShotClassifier(FakeEncoder(), LABELS, ["a {}", "the {}"])
    mean = one.weights + other.weights
    torch.testing.assert_close(both.weights, mean / mean.norm(dim=-1, keepdim=True))
