"""One hash for the weights of a model, whatever holds them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import clip
from snaplink.weights import weights_sha256


def test_weights_have_one_hash_in_every_dtype_that_holds_them():
    model, _ = clip.load("tiny", device="cpu")
    single = weights_sha256(model)
    clip.model.convert_weights(model)
    half = weights_sha256(model)
    assert weights_sha256(model.float()) == half
    # tiny's own weights are halves, so that nothing is lost
    assert single == half


@pytest.mark.parametrize("change", ["value", "name", "shape", "sign of zero"])
def test_every_change_of_weights_changes_the_hash(change: str):
    def layer() -> nn.Linear:
        made = nn.Linear(4, 4)
        nn.init.zeros_(made.bias)
        nn.init.eye_(made.weight)
        return made

    model, other = nn.Sequential(layer()), nn.Sequential(layer())
    assert weights_sha256(model) == weights_sha256(other)
    if change == "value":
        with torch.no_grad():
            other[0].weight[3, 3] += 1e-6
    elif change == "name":
        other = nn.Sequential(nn.Identity(), layer())
    elif change == "shape":
        other[0].weight = nn.Parameter(other[0].weight.reshape(2, 8))
    else:
        with torch.no_grad():
            other[0].bias[0] = -0.0
    assert weights_sha256(model) != weights_sha256(other)


def test_scalars_integers_and_empty_tensors_are_hashed():
    module = nn.Module()
    module.register_buffer("steps", torch.tensor(3))
    module.register_buffer("nothing", torch.empty(0))
    module.register_buffer("strided", torch.arange(6.0).reshape(2, 3).T)
    before = weights_sha256(module)
    module.steps += 1
    assert weights_sha256(module) != before
