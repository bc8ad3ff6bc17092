"""The zero-shot protocol, its results and their files."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch

from snaplink.errors import ArgumentError
from snaplink.evaluation import evaluate, read
from snaplink.evaluation.evaluate import benchmark_names
from snaplink.evaluation.protocol import prompts
from snaplink.fake_encoder import FakeEncoder
from snaplink.labelled import Labelled, Sample
from snaplink.prompts import class_weights


def test_one_mistake_of_six(data, encoder):
    result = evaluate(data, encoder)
    assert result.metrics["acc1"] == pytest.approx(5 / 6)
    assert math.isnan(result.metrics["acc5"])
    assert result.metrics["mean_per_class_recall"] == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert result.outcomes["predictions"] == [0, 0, 1, 1, 2, 2]
    low, high = result.intervals["acc1"]
    assert low < 5 / 6 < high
    assert result.about["prompts_origin"] == "the default"


def test_the_weights_are_those_of_class_weights():
    encoder = FakeEncoder()
    names = tuple(f"thing {i}" for i in range(150))
    samples = [Sample("a", lambda: None, (0,))]
    data = Labelled("d", "classification", samples, names, tuple((n,) for n in names))
    from snaplink.evaluation.evaluate import _weights

    templates = ["a {}.", "the {c}!"]
    found = _weights(prompts(data, templates), encoder)
    torch.testing.assert_close(found, class_weights(names, templates, encoder.encode_texts))


def test_synonyms_and_templates_multiply(data):
    data = replace(data, synonyms=(("red", "crimson"), ("green",), ("blue",)))
    told = prompts(data, ["a {}", "the {}"])
    assert told.of_classes[0] == ("a red", "the red", "a crimson", "the crimson")
    assert told.count == 8
    assert told.sha256 == prompts(data, ["a {}", "the {c}"]).sha256
    assert told.sha256 != prompts(data, ["a {}"]).sha256


def test_prompts_by_class(data, encoder):
    own = {"red": ["red thing"], "green": ["green thing", "green x"], "blue": ["blue"]}
    assert evaluate(data, encoder, templates=own).metrics["acc1"] == pytest.approx(5 / 6)
    with pytest.raises(ArgumentError, match="none for 'blue'"):
        prompts(data, {"red": ["x"], "green": ["y"]})


def test_templates_that_came_with_the_data(data):
    told = prompts(replace(data, templates=("x {}",)))
    assert (told.templates, told.origin) == (("x {}",), "the data's own")
    with pytest.raises(ArgumentError, match=r"has no \{\} where the label goes"):
        prompts(data, ["x"])


def test_multi_label(data, encoder):
    samples = [replace(s, labels=(s.labels[0], 2)) for s in data.samples]
    result = evaluate(replace(data, task="multilabel", samples=samples), encoder)
    assert list(result.metrics) == ["mean_average_precision"]
    from sklearn.metrics import average_precision_score

    scores = torch.tensor(result.outcomes["scores"])
    truth = torch.tensor([[1, 0, 1], [1, 0, 1], [1, 0, 1], [0, 1, 1], [0, 0, 1], [0, 0, 1]])
    assert result.metrics["mean_average_precision"] == pytest.approx(
        average_precision_score(truth, scores, average="macro")
    )


def test_multi_label_data_without_any_label(data, encoder):
    samples = [replace(s, labels=()) for s in data.samples]
    with pytest.raises(ArgumentError, match="no picture has any label"):
        evaluate(replace(data, task="multilabel", samples=samples), encoder)


def test_retrieval_both_ways(data, encoder):
    captions = [("red",), ("something red",), ("blue", "green"), ("green",), ("blue",), ("blue",)]
    samples = [
        replace(s, labels=(), captions=own)
        for s, own in zip(data.samples, captions, strict=True)
    ]  # fmt: skip
    found = evaluate(Labelled("colours", "retrieval", samples), encoder)
    assert found.benchmark()["task"] == "zeroshot_retrieval"
    # The green picture's captions are blue and green: of three blues and two greens.
    assert found.metrics["text_retrieval_recall@5"] == 1
    assert found.metrics["image_retrieval_recall@10"] == 1
    assert len(found.outcomes["image_ranks"]) == 7
    assert found.about["captions"] == 7


def test_results_keep_the_fields_of_clip_benchmark_and_come_back(data, encoder, tmp_path):
    result = evaluate(data, encoder, command="snaplink eval colours")
    result.write(tmp_path / "r.json")
    told = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert list(told) == ["dataset", "model", "pretrained", "task", "metrics", "language"]
    assert told["metrics"]["acc5"] is None
    assert told["metrics"]["acc1_low"] == result.intervals["acc1"][0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.details.json.gz", "r.json"]
    back = read(tmp_path / "r.json")
    assert dict(back.outcomes) == dict(result.outcomes)
    assert dict(back.intervals) == dict(result.intervals)
    assert list(back.metrics) == list(result.metrics)
    assert back.about == result.about


def test_results_that_cannot_be_read(data, encoder, tmp_path):
    path = tmp_path / "r.json"
    with pytest.raises(ArgumentError, match="there is no file"):
        read(path)
    with pytest.raises(ArgumentError, match=r"must end in \.json"):
        read(tmp_path / "r.txt")
    evaluate(data, encoder).write(path)
    (tmp_path / "r.details.json.gz").write_bytes(b"no")
    with pytest.raises(ArgumentError, match="are not a result of snaplink eval"):
        read(path)
    (tmp_path / "r.details.json.gz").unlink()
    with pytest.raises(ArgumentError, match=r"r\.details\.json\.gz.*is not beside it"):
        read(path)


@pytest.mark.parametrize(
    "damage",
    [
        {"ranks": []},
        {"labels": [0, 0, 0, 1, 2, 3]},
        {"labels": [0, 0, 0, 1, 2, -1]},
        {"confidences": None},
    ],
)
def test_outcomes_with_parts_missing(data, encoder, tmp_path, damage):
    result = evaluate(data, encoder)
    replace(result, outcomes={**result.outcomes, **damage}).write(tmp_path / "r.json")
    with pytest.raises(ArgumentError, match=r"or damaged \(.*write them again with snaplink eval"):
        read(tmp_path / "r.json")


def test_names_as_clip_benchmark_spells_them():
    assert benchmark_names("ViT-B/32") == ("ViT-B-32", "openai")
    assert benchmark_names("openai/clip-vit-large-patch14-336") == ("ViT-L-14-336", "openai")
    assert benchmark_names("tiny") == ("tiny", "snaplink")
