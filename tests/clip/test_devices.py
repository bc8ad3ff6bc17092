"""The towers on other devices than the CPU, as far as it can be seen without one.

On the meta device a tensor has a shape and no value. Who reads one there (`.item()`, a length, a
branch on a sum) fails; on a GPU the same line would make the host wait.
"""

from __future__ import annotations

import pytest
import torch

from clip.model import CLIP, convert_weights

VIT = (64, 32, 2, 128, 8, 20, 300, 64, 1, 2)
RESNET = (32, 64, (1, 2, 1, 1), 16, None, 20, 300, 64, 1, 2)


@pytest.fixture(params=[VIT, RESNET], ids=["vit", "resnet"])
def model(request: pytest.FixtureRequest) -> CLIP:
    return CLIP(*request.param).eval()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_nothing_reads_a_value_while_it_encodes(model: CLIP, dtype: torch.dtype) -> None:
    if dtype is torch.float16:
        convert_weights(model)
    else:
        model.to(dtype)
    model.to("meta")
    side = model.visual.input_resolution
    image = torch.zeros(3, 3, side, side, device="meta")
    text = torch.zeros(5, 20, dtype=torch.int32, device="meta")
    with torch.no_grad():
        width = model.text_projection.shape[1]
        assert model.encode_image(image).shape == (3, width)
        assert model.encode_text(text).shape == (5, width)
        assert model(image, text)[0].shape == (3, 5)


def test_reading_a_value_there_fails() -> None:
    with pytest.raises(RuntimeError):
        int(torch.zeros((), device="meta"))


def test_the_layout_of_a_gpus_convolutions_changes_no_value() -> None:
    torch.manual_seed(0)
    model = CLIP(*RESNET).eval()
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = model.encode_image(image)
        model.visual.to(memory_format=torch.channels_last)
        found = model.encode_image(image)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * expected.abs().max().item())
