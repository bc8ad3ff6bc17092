"""Transforms beside torchvision's, and pipelines beside openai/CLIP's and open_clip's."""

from __future__ import annotations

from pathlib import Path

import pytest

TOPICS = {
    "Resize": 5_000,
    "Resize of tensors": 3_000,
    "CenterCrop": 500,
    "CenterCrop of tensors": 500,
    "ToTensor": 150,
    "Normalize": 50,
    "pipelines": 1_500,
    "slices": 100,
    "pickled": 1,
}


@pytest.fixture(scope="module")
def comparison(peer):
    return peer(
        """
        import sys

        sys.path.insert(0, inputs["root"])
        from tests.oracles.transforms_side_by_side import compare_all

        outputs.update(compare_all())
        """,
        root=str(Path(__file__).parents[2]),
    )


def test_values_errors_and_printed_forms_are_theirs(comparison):
    assert comparison["differ"] == []


@pytest.mark.parametrize("topic", TOPICS)
def test_enough_was_compared(comparison, topic):
    assert comparison["compared"][topic] >= TOPICS[topic]


def test_beside_torchvision_its_own_classes_serve(comparison):
    home = "torchvision.transforms.transforms"
    assert comparison["homes"] == [home, home, home, "builtins", home, home]
