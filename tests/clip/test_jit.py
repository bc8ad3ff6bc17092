"""`jit=True`: our own module, traced."""

from __future__ import annotations

import pytest
import torch

from clip import jit
from clip.model import CLIP

VIT = (64, 32, 2, 64, 16, 10, 300, 64, 1, 2)
RESNET = (32, 64, (1, 1, 1, 1), 16, None, 10, 300, 64, 1, 2)


@pytest.fixture(params=[VIT, RESNET], ids=["vit", "resnet"])
def model(request: pytest.FixtureRequest) -> CLIP:
    torch.manual_seed(0)
    return CLIP(*request.param).eval()


def inputs(model: CLIP, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    side = model.visual.input_resolution
    return torch.randn(count, 3, side, side), torch.randint(300, (count, 10))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_batch_size_gives_the_eager_values(model: CLIP, count: int) -> None:
    image, text = inputs(model, count)
    with torch.no_grad():
        expected = model(image, text), model.encode_image(image), model.encode_text(text)
        module = jit.scripted(model)
        assert module is not None
        found = module(image, text), module.encode_image(image), module.encode_text(text)
    torch.testing.assert_close(found, expected)


def test_the_three_sizes_are_buffers_of_the_state_dict(model: CLIP) -> None:
    module = jit.scripted(model)
    assert module is not None
    state_dict = module.state_dict()
    assert state_dict["context_length"].item() == module.context_length.item() == 10
    assert state_dict["vocab_size"].item() == 300
    assert state_dict["input_resolution"].shape == ()


def test_where_torch_refuses_the_eager_model_is_as_it_was(
    model: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no tracing any more")

    names = list(model.state_dict())
    monkeypatch.setattr(torch.jit, "trace_module", refuse)
    with pytest.warns(UserWarning, match="no tracing any more"):
        assert jit.scripted(model) is None
    assert list(model.state_dict()) == names
    assert (model.context_length, model.vocab_size) == (10, 300)
