"""The peers' environment itself: what comes back is what went in, and each peer is there."""

from __future__ import annotations

import numpy as np
import pytest
import torch


def test_arrays_tensors_and_values_travel_both_ways(peer):
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    tensor = torch.tensor([0.5, -1.5], dtype=torch.float16)
    outputs = peer("outputs.update(inputs)", array=array, tensor=tensor, text="Größe 🐈", n=[1, 2])
    np.testing.assert_array_equal(outputs["array"], array)
    np.testing.assert_array_equal(outputs["tensor"], tensor.numpy())
    assert outputs["array"].dtype == np.int32
    assert outputs["tensor"].dtype == np.float16
    assert (outputs["text"], outputs["n"]) == ("Größe 🐈", [1, 2])


def test_a_failing_script_fails_the_test_and_shows_its_error(peer):
    with pytest.raises(AssertionError, match="no such cat"):
        peer("raise ValueError('no such cat')")


def test_the_peers_are_other_peoples_code(peer):
    outputs = peer(
        """
        from importlib.metadata import packages_distributions
        import clip, open_clip, sklearn, torchvision.transforms.v2, transformers
        outputs["clip"] = packages_distributions()["clip"]
        outputs["models"] = clip.available_models()
        """
    )
    assert outputs["clip"] == ["clip-anytorch"]
    assert "ViT-B/32" in outputs["models"]
