"""The towers: built without values, adapted, converted, exported. Equality with openai/CLIP's
code is the matter of tests/compat and tests/oracles."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import clip.model as towers
from clip.architecture import Architecture
from clip.model import CLIP, build_model, convert_weights

VIT = Architecture(64, 32, 2, 128, 16, 10, 300, 64, 1, 2)
RESNET = Architecture(32, 64, (1, 2, 1, 1), 16, None, 10, 300, 64, 1, 2)


@pytest.fixture(params=[VIT, RESNET], ids=["vit", "resnet"])
def architecture(request: pytest.FixtureRequest) -> Architecture:
    return request.param


@pytest.fixture
def model(architecture: Architecture) -> CLIP:
    torch.manual_seed(0)
    return CLIP(**vars(architecture)).eval()


def inputs(model: CLIP, count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    side = model.visual.input_resolution
    draw = torch.Generator().manual_seed(1)
    text = torch.randint(model.vocab_size, (count, model.context_length), generator=draw)
    return torch.randn(count, 3, side, side, generator=draw), text


def assert_equal_features(one: CLIP, other: CLIP) -> None:
    image, text = inputs(one)
    torch.testing.assert_close(one.encode_image(image), other.encode_image(image))
    torch.testing.assert_close(one.encode_text(text), other.encode_text(text))


def test_the_architecture_describes_the_state_dict(architecture: Architecture, model: CLIP) -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert list(shapes.items()) == list(architecture.shapes().items())


def test_a_skeleton_has_the_constructor_s_modules_but_no_memory(
    architecture: Architecture, model: CLIP
) -> None:
    skeleton = towers.skeleton(architecture)
    assert [(n, type(m)) for n, m in skeleton.named_modules()] == [
        (n, type(m)) for n, m in model.named_modules()
    ]
    assert all(tensor.is_meta for tensor in skeleton.state_dict().values())
    blocks = skeleton.transformer.resblocks
    assert torch.equal(blocks[0].attn_mask, model.build_attention_mask())
    assert blocks[0].attn_mask is blocks[1].attn_mask


def test_a_furnished_skeleton_computes_as_the_model_whose_weights_it_got(model: CLIP) -> None:
    built = towers.skeleton(Architecture.from_shapes(shapes_of(model)))
    towers.furnish(built, copy.deepcopy(model.state_dict()))
    assert not built.training
    assert all(parameter.requires_grad for parameter in built.parameters())
    assert_equal_features(model, built)


def shapes_of(model: CLIP) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def test_building_draws_no_random_numbers(model: CLIP) -> None:
    before = torch.get_rng_state()
    build_model(model.state_dict())
    assert torch.equal(torch.get_rng_state(), before)


def test_build_model_is_the_plain_construction_only_faster(
    model: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = build_model(model.state_dict())
    monkeypatch.setattr(towers, "is_original", lambda: False)
    plain = build_model(model.state_dict())
    for (name, one), (_, other) in zip(
        fast.state_dict().items(), plain.state_dict().items(), strict=True
    ):
        assert one.dtype == other.dtype, name
        assert torch.equal(one, other), name


def test_build_model_shares_no_memory_with_the_dict(model: CLIP) -> None:
    state_dict = dict(model.state_dict())
    built = build_model(state_dict)
    addresses = {tensor.data_ptr() for tensor in state_dict.values()}
    assert not addresses & {tensor.data_ptr() for tensor in built.state_dict().values()}


def test_build_model_takes_the_three_sizes_out_of_the_dict(model: CLIP) -> None:
    state_dict = dict(model.state_dict())
    names = set(state_dict)
    for name in ("input_resolution", "context_length", "vocab_size"):
        state_dict[name] = torch.tensor(7)
    build_model(state_dict)
    assert set(state_dict) == names


@pytest.mark.parametrize("damage", ["missing", "unexpected", "shape"])
def test_build_model_is_strict(model: CLIP, damage: str) -> None:
    state_dict = dict(model.state_dict())
    if damage == "missing":
        del state_dict["ln_final.bias"]
    elif damage == "unexpected":
        state_dict["logit_bias"] = torch.zeros(())
    else:
        state_dict["ln_final.bias"] = torch.zeros(3)
    with pytest.raises(RuntimeError, match=r"logit_bias|ln_final\.bias"):
        build_model(state_dict)


def test_the_half_precision_keys_are_those_that_convert_weights_turns(model: CLIP) -> None:
    convert_weights(model)
    halves = {n for n, tensor in model.state_dict().items() if tensor.dtype == torch.float16}
    assert towers.half_precision_keys(model) == halves


@pytest.mark.parametrize("name", ["LayerNorm", "QuickGELU", "CLIP", "convert_weights"])
def test_a_replaced_definition_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert towers.is_original()
    monkeypatch.setattr(towers, name, lambda *_: None)
    assert not towers.is_original()


def test_a_replaced_or_added_method_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(towers.ResidualAttentionBlock, "attention", lambda self, x: x)
    assert not towers.is_original()
    monkeypatch.undo()
    monkeypatch.setattr(towers.CLIP, "encode_both", lambda self: None, raising=False)
    assert not towers.is_original()


def test_a_replaced_class_is_what_gets_built(model: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    class Norm(towers.LayerNorm):
        pass

    monkeypatch.setattr(towers, "LayerNorm", Norm)
    assert type(build_model(model.state_dict()).ln_final) is Norm


def test_adapt_changes_what_the_weights_do_not_say() -> None:
    model = CLIP(**vars(VIT)).eval()
    towers.adapt(model, activation="gelu", vision_heads=4, text_eps=1e-6, vision_eps=1e-3)
    assert isinstance(model.visual.transformer.resblocks[1].mlp.gelu, nn.GELU)
    assert isinstance(model.transformer.resblocks[1].mlp.gelu, nn.GELU)
    assert model.visual.transformer.resblocks[0].attn.num_heads == 4
    assert model.visual.transformer.resblocks[0].attn.head_dim == 32
    assert model.transformer.resblocks[0].attn.num_heads == 1
    assert (model.ln_final.eps, model.visual.ln_post.eps) == (1e-6, 1e-3)


def test_adapt_widens_the_mlps_of_a_skeleton() -> None:
    shapes = VIT.shapes(vision_mlp_width=100, text_mlp_width=200)
    model = towers.skeleton(VIT)
    towers.adapt(model, vision_mlp_width=100, text_mlp_width=200)
    assert shapes_of(model) == shapes
    towers.furnish(model, {name: torch.zeros(shape) for name, shape in shapes.items()})
    assert model.encode_image(inputs(model)[0]).shape == (3, 64)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_whole_model_in_another_dtype_computes_in_it(model: CLIP, dtype: torch.dtype) -> None:
    expected = model.encode_text(inputs(model)[1]).detach()
    model.to(dtype)
    image, text = inputs(model)
    assert model.encode_image(image).dtype == dtype
    torch.testing.assert_close(
        model.encode_text(text),
        expected.to(dtype),
        rtol=0.05,
        atol=0.05 * expected.abs().max().item(),
    )


def test_the_shared_mask_follows_the_weights(model: CLIP) -> None:
    model.to("meta")
    masks = {id(block.attn_mask) for block in model.transformer.resblocks}
    assert len(masks) == 1
    assert not model.transformer.resblocks[0].attn_mask.is_meta, "its values would be lost"


def test_gradients_reach_pictures_prompts_and_weights(model: CLIP) -> None:
    image, text = inputs(model)
    image.requires_grad_()
    sum(logits.sum() for logits in model(image, text)).backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    missing = [n for n, parameter in model.named_parameters() if parameter.grad is None]
    assert missing == []


@pytest.mark.parametrize("method", ["encode_image", "encode_text"])
def test_an_exported_encoder_takes_any_batch(model: CLIP, method: str) -> None:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return getattr(self.model, method)(x)  # type: ignore[no-any-return]

    which = ("encode_image", "encode_text").index(method)
    batch = torch.export.Dim("batch", min=2, max=64)
    with torch.no_grad():
        exported = torch.export.export(
            Encoder(), (inputs(model)[which],), dynamic_shapes={"x": {0: batch}}
        ).module()
        more = inputs(model, 7)[which]
        torch.testing.assert_close(exported(more), getattr(model, method)(more))


def test_compiles_without_a_graph_break(model: CLIP) -> None:
    image, text = inputs(model)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(image, text), model(image, text))
