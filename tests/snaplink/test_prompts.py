"""Class weights: the mathematics of prompt ensembling, and what cannot be a label or template."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snaplink.errors import ArgumentError
from snaplink.prompts import check_labels, check_templates, class_weights, fill

labels = st.lists(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(str.strip),
    min_size=2,
    max_size=5,
    unique_by=lambda label: label.strip().casefold(),
)


def encoder(seed: int, scale: float, dim: int = 6):
    """Texts to random features, a text always to the same one."""

    def encode(texts: list[str]) -> torch.Tensor:
        rows = [np.random.default_rng([seed, *text.encode()]).normal(size=dim) for text in texts]
        return scale * torch.tensor(np.array(rows))

    return encode


@given(labels, st.integers(0, 2**31), st.integers(1, 4))
@settings(deadline=None, max_examples=50)
def test_weights_are_the_mean_direction_of_the_prompts(names, seed, count):
    templates = [f"{number}: {{}}" for number in range(count)]
    encode = encoder(seed, 3.0)
    weights = class_weights(names, templates, encode)

    for name, weight in zip(names, weights, strict=True):
        directions = []
        for number in range(count):
            feature = encode([f"{number}: {name}"])[0].numpy()
            directions.append(feature / math.sqrt(sum(feature**2)))
        mean = sum(directions) / count
        np.testing.assert_allclose(weight.numpy(), mean / np.linalg.norm(mean), atol=1e-12)


@given(labels, st.integers(0, 2**31), st.floats(1e-3, 1e3))
@settings(deadline=None, max_examples=50)
def test_lengths_of_features_and_order_of_templates_do_not_matter(names, seed, scale):
    templates = ["a {}", "the {c}", "{}!"]
    weights = class_weights(names, templates, encoder(seed, 1.0))
    scaled = class_weights(names, templates[::-1], encoder(seed, scale))
    torch.testing.assert_close(weights, scaled, atol=1e-12, rtol=0)
    torch.testing.assert_close(weights.norm(dim=-1), torch.ones(len(names), dtype=weights.dtype))


@given(st.text(), st.sampled_from(["{}", "a {}.", "{c}, in a photo", "{} and {c}"]))
def test_a_label_goes_in_as_it_is(label, template):
    filled = fill(template, label)
    assert filled.startswith(template.partition("{")[0] + label)
    assert filled.endswith(label + template.rpartition("}")[2])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "no labels: give at least two"),
        ("cat", "labels is one text, 'cat': give a list, such as ['cat', 'dog']"),
        (["cat"], "'cat' is the only label, so every picture would get it: give at least two"),
        (["cat", " "], "label 2 of 2 is empty"),
        (["cat", "dog", "Cat "], "the label 'Cat' is given twice (capitals do not count)"),
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused(given, message):
    with pytest.raises(ArgumentError) as error:
        check_labels(given)
    assert str(error.value) == message


def test_a_template_needs_a_place_for_the_label():
    with pytest.raises(ArgumentError, match=r"the template 'a photo' has no \{\} where the label"):
        check_templates(["a {}", "a photo"])
    with pytest.raises(ArgumentError, match="no templates"):
        check_templates([])
    with pytest.raises(ArgumentError, match="templates is one text, 'a photo of a "):
        check_templates("a photo of a {}.")
