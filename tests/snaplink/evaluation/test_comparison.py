"""Two results over the same pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snaplink.errors import ArgumentError
from snaplink.evaluation import compare, evaluate

WORSE = {"red": ["red"], "green": ["green"], "blue": ["red and blue"]}


def test_what_only_one_gets_right(data, encoder):
    first = evaluate(data, encoder)
    second = evaluate(data, encoder, templates=WORSE)
    found = compare(first, second)
    assert found.pictures == 6
    assert found.differences["acc1"].value == pytest.approx(-2 / 6)
    assert (found.only_first, list(found.only_second)) == (["blue.png", "navy.png"], [])
    assert {row[0]: row[1:] for row in found.by_class}["blue"] == (2, 1.0, 0.0)


def test_only_pictures_in_common_count(data, encoder):
    first = evaluate(data, encoder)
    second = evaluate(replace(data, samples=data.samples[:0:-1]), encoder)
    found = compare(first, second)
    assert (found.pictures, found.left_out) == (5, 1)
    assert found.differences["acc1"].value == 0


def test_retrieval_compares_captions_with_their_pictures(data, encoder):
    samples = [
        replace(s, labels=(), captions=(s.key.removesuffix(".png"), "blue"))
        for s in data.samples
    ]  # fmt: skip
    data = replace(data, task="retrieval", samples=samples, class_names=(), synonyms=())
    first = evaluate(data, encoder)
    second = evaluate(replace(data, samples=samples[::-1]), encoder)
    differences = compare(first, second).differences
    assert differences["image_retrieval_recall@10"].value == 0
    assert len(differences) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "retrieval"}, "one result is of classification, the other of retrieval"),
        ({"class_names": ["a", "b"]}, "one result has 3 classes, the other 2.*--classes"),
        ({"outcomes": {"keys": ["x"]}}, "have no picture in common"),
    ],
)
def test_what_cannot_be_compared(data, encoder, change, message):
    first = evaluate(data, encoder)
    with pytest.raises(ArgumentError, match=message):
        compare(first, replace(first, **change))


def test_other_labels_of_the_same_pictures(data, encoder):
    first = evaluate(data, encoder)
    other = {**first.outcomes, "labels": [2, 0, 0, 1, 2, 2]}
    with pytest.raises(ArgumentError, match="other labels of the same pictures"):
        compare(first, replace(first, outcomes=other))
