"""A packed model gives the features of the model that it was made of."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import clip
from clip.errors import OptimizeError
from clip.model import CLIP, LayerNorm, ResidualAttentionBlock
from clip.optimized import linears, probes

AT_LEAST = {"fp32": 0.9999999, "bf16": 0.9999, "int8": 0.9995}


def assert_near(found: Tensor, exact: Tensor, precision: str) -> None:
    assert found.shape == exact.shape
    assert found.dtype is torch.float32
    assert not found.requires_grad
    assert probes.cosine(found, exact.detach()) >= AT_LEAST[precision]
    if precision == "fp32":
        limit = 1e-5 * exact.abs().max().item()
        torch.testing.assert_close(found, exact.detach(), rtol=0, atol=limit)


def test_every_family_keeps_its_features(any_model: CLIP, text: Tensor, precision: str) -> None:
    image = probes.pictures(5, any_model.visual.input_resolution)
    fast = clip.optimize(any_model, precision)
    assert fast.precision == precision
    assert_near(fast.encode_image(image), any_model.encode_image(image), precision)
    assert_near(fast.encode_text(text), any_model.encode_text(text), precision)


def test_it_answers_as_the_model_does(model: CLIP, image: Tensor, text: Tensor) -> None:
    fast = clip.optimize(model, "fp32").eval()
    assert fast.visual.input_resolution == 32
    assert fast.visual.output_dim == 64
    assert fast.context_length == model.context_length
    torch.testing.assert_close(fast.logit_scale, model.logit_scale.detach())
    for found, exact in zip(fast(image, text), model(image, text), strict=True):
        torch.testing.assert_close(found, exact.detach(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("lengths", [[2], [24], [2, 24], [7, 7, 7], [9, 3, 9, 24, 2, 3]])
def test_captions_of_any_lengths_come_back_in_their_order(
    model: CLIP, lengths: list[int], precision: str
) -> None:
    tokens = torch.zeros(len(lengths), 24, dtype=torch.int32)
    for row, length in zip(tokens, lengths, strict=True):
        row[: length - 1] = torch.randint(1, 298, (length - 1,), dtype=torch.int32)
        row[length - 1] = 299
    fast = clip.optimize(model, precision)
    assert_near(fast.encode_text(tokens), model.encode_text(tokens), precision)


def test_tokens_behind_the_end_change_nothing(model: CLIP, text: Tensor) -> None:
    fast = clip.optimize(model, "fp32")
    ends = text.argmax(-1)
    other = text.clone()
    for row, end in zip(other, ends.tolist(), strict=True):
        row[end + 1 :] = 5
    assert torch.equal(fast.encode_text(text), fast.encode_text(other))


def test_no_input_gives_no_features(model: CLIP) -> None:
    fast = clip.optimize(model, "fp32")
    assert fast.encode_image(torch.empty(0, 3, 32, 32)).shape == (0, 64)
    assert fast.encode_text(torch.empty(0, 24, dtype=torch.int32)).shape == (0, 64)


def test_inputs_are_left_as_they_were(model: CLIP, precision: str) -> None:
    whole_picture_patch = CLIP(64, 32, 1, 256, 32, 24, 300, 128, 2, 1).eval()
    for each in (model, whole_picture_patch):
        image = probes.pictures(3, 32)
        before = image.clone()
        clip.optimize(each, precision).encode_image(image)
        assert torch.equal(image, before)


def test_later_changes_of_the_model_do_not_reach_it(
    any_model: CLIP, text: Tensor, precision: str
) -> None:
    image = probes.pictures(2, any_model.visual.input_resolution)
    fast = clip.optimize(any_model, precision)
    before = fast.encode_image(image), fast.encode_text(text)
    for tensor in any_model.state_dict().values():
        tensor.zero_()
    assert torch.equal(fast.encode_image(image), before[0])
    assert torch.equal(fast.encode_text(text), before[1])


def test_threads_can_share_it(model: CLIP, image: Tensor, text: Tensor, precision: str) -> None:
    fast = clip.optimize(model, precision)
    expected = fast.encode_image(image), fast.encode_text(text)
    found: list[tuple[Tensor, Tensor]] = []

    def encode() -> None:
        found.extend((fast.encode_image(image), fast.encode_text(text)) for _ in range(5))

    threads = [threading.Thread(target=encode) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 15
    for pair in found:
        for one, other in zip(pair, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * other.abs().max().item())


def test_half_precision_weights_are_taken(model: CLIP, image: Tensor) -> None:
    clip.model.convert_weights(model)
    half = clip.optimize(model, "fp32").encode_image(image)
    assert_near(half, model.float().encode_image(image), "fp32")


def test_a_tower_without_projection_gives_what_is_before_it(model: CLIP, image: Tensor) -> None:
    model.visual.proj = None
    assert_near(clip.optimize(model, "fp32").encode_image(image), model.visual(image), "fp32")


def a_hook(model: CLIP) -> None:
    model.visual.transformer.resblocks[0].register_forward_hook(lambda *_: None)


def another_class(model: CLIP) -> None:
    class Norm(LayerNorm):
        pass

    model.visual.ln_post = Norm(256)


def another_method(model: CLIP) -> None:
    model.encode_image = lambda image: image


def another_activation(model: CLIP) -> None:
    model.transformer.resblocks[1].mlp.gelu = nn.GELU(approximate="tanh")


def another_mask(model: CLIP) -> None:
    model.transformer.resblocks[1].attn_mask = torch.zeros(24, 24)


def no_mask(model: CLIP) -> None:
    model.transformer.resblocks[0].attn_mask = None


def one_layer_more(model: CLIP) -> None:
    model.visual.transformer.resblocks[0].mlp.add_module("dropout", nn.Identity())


def training(model: CLIP) -> None:
    model.train()


def overlapping_patches(model: CLIP) -> None:
    model.visual.conv1.stride = (4, 4)


def no_text_projection(model: CLIP) -> None:
    model.text_projection = None


def weights_beyond_all_numbers(model: CLIP) -> None:
    model.visual.proj.data.fill_(float("nan"))


REFUSED: dict[Any, str] = {
    a_hook: r"visual.transformer.resblocks.0 has a forward hook",
    another_class: r"visual.ln_post is a Norm",
    another_method: r"the model.encode_image has been replaced",
    another_activation: r"transformer.resblocks.1 is not built",
    another_mask: r"transformer.resblocks.1.attn_mask is not",
    no_mask: r"transformer.resblocks.0.attn_mask is not",
    one_layer_more: r"visual.transformer.resblocks.0 is not built",
    training: r"call model.eval\(\) first",
    overlapping_patches: r"visual.conv1 has other strides",
    no_text_projection: r"text_projection is None",
    weights_beyond_all_numbers: r"gives other features \(cosine nan\)",
}


@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_what_packing_would_change_is_refused_by_name(model: CLIP, change: Any) -> None:
    change(model)
    with pytest.raises(OptimizeError, match=REFUSED[change]):
        clip.optimize(model, "fp32")


def test_a_replaced_forward_of_a_class_is_refused(
    model: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ResidualAttentionBlock, "forward", lambda self, x: x)
    with pytest.raises(OptimizeError, match="has been replaced"):
        clip.optimize(model, "fp32")


def test_other_things_than_models_are_refused() -> None:
    with pytest.raises(OptimizeError, match="Linear is not a model that"):
        clip.optimize(nn.Linear(1, 1))


def test_a_precision_that_is_none_is_named(model: CLIP) -> None:
    with pytest.raises(ValueError, match="'fp8': auto, fp32, bf16 or int8"):
        clip.optimize(model, "fp8")


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 3, 64, 32), (1, 1, 32, 32)])
def test_pictures_of_another_shape_are_refused(model: CLIP, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[N, 3, 32, 32\] expected"):
        clip.optimize(model, "fp32").encode_image(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(24,), (1, 25), (1, 0)])
def test_tokens_of_another_shape_are_refused(model: CLIP, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[N, 24\] expected"):
        clip.optimize(model, "fp32").encode_text(torch.zeros(shape, dtype=torch.int64))


def test_without_the_private_operators_fp32_runs_and_the_others_say_so(
    model: CLIP, image: Tensor, text: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for namespace in ("_mkldnn", "_onednn"):
        monkeypatch.setattr(linears, namespace, object())
    linears._works.cache_clear()
    linears.bf16_is_fast.cache_clear()
    try:
        fast = clip.optimize(model, "fp32")
        assert_near(fast.encode_image(image), model.encode_image(image), "fp32")
        assert_near(fast.encode_text(text), model.encode_text(text), "fp32")
        for precision in ("bf16", "int8"):
            with pytest.raises(OptimizeError, match=f"cannot compute {precision}"):
                clip.optimize(model, precision)
    finally:
        linears._works.cache_clear()
        linears.bf16_is_fast.cache_clear()


def test_not_a_number_spoils_no_more_than_its_features(model: CLIP, precision: str) -> None:
    image = probes.pictures(2, 32)
    image[0, 0, 0, 0] = float("nan")
    assert clip.optimize(model, precision).encode_image(image)[0].isnan().all()


def test_autocast_changes_nothing(model: CLIP, image: Tensor, text: Tensor, precision: str) -> None:
    packed = clip.optimize(model, precision)
    expected = packed.encode_image(image), packed.encode_text(text)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(packed.encode_image(image), expected[0])
        assert torch.equal(packed.encode_text(text), expected[1])


def test_a_negative_token_is_refused_not_counted_from_the_end(model: CLIP, text: Tensor) -> None:
    with pytest.raises(IndexError, match="-5 is negative"):
        clip.optimize(model, "fp32").encode_text(text.masked_fill(text == 0, -5))


def test_it_says_why_it_cannot_be_pickled(model: CLIP) -> None:
    packed = clip.optimize(model, "fp32")
    for copied in (copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="where it runs"):
            copied(packed)
