"""The towers on a GPU give the CPU's features, in every dtype, plain, compiled and scripted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

import clip

LEAST_COSINE = {torch.float32: 0.99999, torch.float16: 0.9999, torch.bfloat16: 0.999}

Inputs = tuple[Tensor, Tensor]


def features(model: Any, inputs: Inputs) -> list[Tensor]:
    """Of pictures and texts, encoded where the model is, float32 on the CPU."""
    device = model.logit_scale.device
    with torch.no_grad():
        image = model.encode_image(inputs[0].to(device))
        text = model.encode_text(inputs[1].to(device))
    return [image.float().cpu(), text.float().cpu()]


def assert_alike(found: list[Tensor], expected: list[Tensor], least: float) -> None:
    for one, other in zip(found, expected, strict=True):
        assert cosine_similarity(one, other).min() > least


@pytest.fixture
def expected(checkpoint: str, inputs: Inputs) -> list[Tensor]:
    return features(clip.load(checkpoint, device="cpu")[0], inputs)


@pytest.mark.parametrize("dtype", LEAST_COSINE, ids=str)
def test_features_are_the_cpus(
    checkpoint: str, device: str, dtype: torch.dtype, inputs: Inputs, expected: list[Tensor]
) -> None:
    model, _ = clip.load(checkpoint, device=device, dtype=dtype)
    assert_alike(features(model, inputs), expected, LEAST_COSINE[dtype])


def test_weights_are_half_and_norms_are_not_as_the_originals(checkpoint: str, device: str) -> None:
    model, _ = clip.load(checkpoint, device=device)
    assert model.dtype is torch.float16
    assert model.ln_final.weight.dtype is torch.float32
    assert {tensor.device.type for tensor in model.state_dict().values()} == {device}
    assert {block.attn_mask.device.type for block in model.transformer.resblocks} == {device}


def test_forward_gives_the_cpus_probabilities(
    checkpoint: str, device: str, inputs: Inputs, expected: list[Tensor]
) -> None:
    model, _ = clip.load(checkpoint, device=device)
    with torch.no_grad():
        logits, transposed = model(*(each.to(device) for each in inputs))
    image, text = (each / each.norm(dim=-1, keepdim=True) for each in expected)
    scale = model.logit_scale.exp().item()
    found = logits.float().softmax(dim=-1).cpu()
    torch.testing.assert_close(found, (scale * image @ text.T).softmax(dim=-1), rtol=0, atol=0.03)
    assert torch.equal(transposed, logits.T)


def test_a_model_that_moves_keeps_its_values(
    checkpoint: str, device: str, inputs: Inputs, expected: list[Tensor]
) -> None:
    model, _ = clip.load(checkpoint, device="cpu")
    model.to(device)
    assert_alike(features(model, inputs), expected, LEAST_COSINE[torch.float32])
    model.to("cpu")
    assert_alike(features(model, inputs), expected, LEAST_COSINE[torch.float32])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast(
    checkpoint: str, device: str, dtype: torch.dtype, inputs: Inputs, expected: list[Tensor]
) -> None:
    model, _ = clip.load(checkpoint, device=device, dtype=torch.float32)
    with torch.autocast(device, dtype):
        found = features(model, inputs)
    assert_alike(found, expected, LEAST_COSINE[torch.bfloat16])


@pytest.mark.filterwarnings("ignore:TensorFloat32 tensor cores")  # left out on purpose
def test_compiled_towers(
    checkpoint: str, cuda: str, inputs: Inputs, expected: list[Tensor]
) -> None:
    model, _ = clip.load(checkpoint, device=cuda)
    model.encode_image = torch.compile(model.encode_image, fullgraph=True)
    model.encode_text = torch.compile(model.encode_text, fullgraph=True)
    assert_alike(features(model, inputs), expected, 0.999)


def test_gradients_are_the_cpus(checkpoint: str, device: str, inputs: Inputs) -> None:
    gradients = []
    for place in ("cpu", device):
        model, _ = clip.load(checkpoint, device=place, dtype=torch.float32)
        image, text = (each.to(place) for each in inputs)
        model.encode_image(image).square().mean().backward()
        model.encode_text(text).square().mean().backward()
        names = "visual.conv1.weight", "positional_embedding"
        gradients.append([model.get_parameter(name).grad.cpu() for name in names])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-3 * one.abs().max().item())
