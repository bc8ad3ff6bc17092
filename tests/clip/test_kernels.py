"""The fast route gives the plain blocks' values, and is taken only where nobody can tell."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from clip import kernels
from clip import model as towers
from clip.model import CLIP

pytestmark = pytest.mark.skipif(
    not kernels._USABLE, reason="switched off by CLIP_PLAIN, or this torch has no oneDNN linears"
)


@pytest.fixture
def model() -> CLIP:
    torch.manual_seed(0)
    return CLIP(64, 32, 2, 128, 8, 20, 300, 64, 1, 3).eval()


@pytest.fixture
def image() -> torch.Tensor:
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def text() -> torch.Tensor:
    """Rows of different lengths, zeros after the highest id."""
    ids = torch.zeros(4, 20, dtype=torch.int32)
    for row, length in enumerate((3, 9, 5, 2)):
        ids[row, :length] = torch.arange(10, 10 + length)
        ids[row, length - 1] = 299
    return ids


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows went into each block that went the fast way."""
    rows: list[int] = []
    block = kernels._block

    def spy(module: nn.Module, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        rows.append(len(x))
        return block(module, x, *rest)

    monkeypatch.setattr(kernels, "_block", spy)
    return rows


def plainly(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(kernels, "_USABLE", False)
        return function(x)


def assert_close(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * other.abs().max().item())


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_values_are_the_plain_ones(
    model: CLIP, image: torch.Tensor, text: torch.Tensor, activation: str, taken: list[object]
) -> None:
    towers.adapt(model, activation=activation)
    with torch.no_grad():
        assert_close(model.encode_image(image), plainly(model.encode_image, image))
        assert_close(model.encode_text(text), plainly(model.encode_text, text))
    assert len(taken) == 5


def test_a_block_takes_and_gives_length_batch_width(model: CLIP) -> None:
    x = torch.randn(7, 2, 64)
    block = model.transformer.resblocks[0]
    with torch.no_grad():
        assert_close(block(x), plainly(block, x))


def test_nothing_behind_the_ends_of_texts_is_computed(
    model: CLIP, text: torch.Tensor, taken: list[int]
) -> None:
    with torch.no_grad():
        model.encode_text(text)
    assert taken == [3 + 9 + 5 + 2] * 3


@settings(deadline=None, max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 20), min_size=1, max_size=9),
    dtype=st.sampled_from([torch.int32, torch.int64]),
)
def test_texts_of_any_lengths_keep_their_order(lengths: list[int], dtype: torch.dtype) -> None:
    torch.manual_seed(len(lengths))
    tower = CLIP(64, 32, 1, 64, 16, 20, 300, 64, 1, 2).eval()
    text = torch.randint(299, (len(lengths), 20)).to(dtype)
    text[torch.arange(len(lengths)), torch.tensor(lengths) - 1] = 299
    with torch.no_grad():
        assert_close(tower.encode_text(text), plainly(tower.encode_text, text))


def test_texts_may_be_shorter_than_the_context(model: CLIP, text: torch.Tensor) -> None:
    with torch.no_grad():
        assert_close(model.encode_text(text[:, :9]), plainly(model.encode_text, text))


def test_a_token_with_a_higher_id_than_the_end_is_where_the_text_is_read(
    model: CLIP, text: torch.Tensor
) -> None:
    """Textual inversion adds ids behind the vocabulary: the original reads the features there."""
    model.token_embedding = nn.Embedding(400, 64)
    text[0, 12] = 399
    with torch.no_grad():
        assert_close(model.encode_text(text), plainly(model.encode_text, text))


def test_changed_weights_are_seen_at_once(model: CLIP, image: torch.Tensor) -> None:
    with torch.no_grad():
        before = model.encode_image(image)
        model.visual.transformer.resblocks[0].mlp.c_fc.weight.data.mul_(2)
        after = model.encode_image(image)
        assert not torch.equal(before, after)
        assert_close(after, plainly(model.encode_image, image))


def test_threads_can_share_a_model(model: CLIP, text: torch.Tensor) -> None:
    expected = plainly(model.encode_text, text)
    found: list[torch.Tensor] = []

    def encode() -> None:
        with torch.no_grad():
            found.extend(model.encode_text(text) for _ in range(20))

    threads = [threading.Thread(target=encode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 80
    for features in found:
        assert_close(features, expected)


def hook(model: CLIP) -> None:
    model.transformer.resblocks[1].mlp.c_fc.register_forward_hook(lambda *_: None)


def pre_hook(model: CLIP) -> None:
    model.transformer.resblocks[0].ln_2.register_forward_pre_hook(lambda *_: None)


def replaced_attention(model: CLIP) -> None:
    block = model.transformer.resblocks[2]
    block.attention = lambda x: torch.zeros_like(x)


def replaced_module(model: CLIP) -> None:
    model.transformer.resblocks[1].attn.out_proj = nn.Linear(64, 64)


def subclass(model: CLIP) -> None:
    class Attention(nn.MultiheadAttention):
        pass

    model.transformer.resblocks[0].attn.__class__ = Attention


def parametrised(model: CLIP) -> None:
    nn.utils.parametrizations.weight_norm(model.transformer.resblocks[0].mlp.c_proj)


def own_forward(model: CLIP) -> None:
    model.transformer.resblocks[0].mlp.forward = lambda x: x * 0


def no_mask(model: CLIP) -> None:
    model.transformer.resblocks[1].attn_mask = None


def added_to_the_block(model: CLIP) -> None:
    model.transformer.resblocks[1].mlp.add_module("adapter", nn.ReLU())


def hook_on_the_stack(model: CLIP) -> None:
    model.transformer.register_forward_hook(lambda module, args, x: x + 1)


def hook_on_the_final_norm(model: CLIP) -> None:
    model.ln_final.register_forward_hook(
        lambda module, args, x: x * torch.arange(x.shape[1])[:, None]
    )


def weight_without_its_parameter(model: CLIP) -> None:
    """As hypernetworks and code that merges adapters do."""
    attn: Any = model.transformer.resblocks[1].attn
    weight = attn.in_proj_weight.detach() * 2
    del attn.in_proj_weight
    attn.in_proj_weight = weight


def function_for_a_norm(model: CLIP) -> None:
    block: Any = model.transformer.resblocks[1]
    del block.ln_1
    block.ln_1 = lambda x: x * 2


def sparse_weight(model: CLIP) -> None:
    linear = model.transformer.resblocks[1].mlp.c_fc
    linear.weight = nn.Parameter(linear.weight.detach().to_sparse_csr())


def own_call(model: CLIP) -> None:
    model.transformer.resblocks[1].mlp._call_impl = lambda x: x * 0


def compiled_in_place(model: CLIP) -> None:
    model.transformer.resblocks[1].mlp.compile(backend="eager")


CHANGES = [
    *(weight_without_its_parameter, function_for_a_norm, own_call, compiled_in_place),
    pytest.param(sparse_weight, marks=pytest.mark.filterwarnings("ignore:Sparse CSR")),
    *(hook, pre_hook, replaced_attention, replaced_module, subclass, parametrised, own_forward),
    *(no_mask, added_to_the_block, hook_on_the_stack, hook_on_the_final_norm),
]
WHOLE_BLOCKS = {no_mask: 3, hook_on_the_stack: 3, hook_on_the_final_norm: 3}


@pytest.mark.parametrize("change", CHANGES)
def test_steps_aside_for_a_changed_block_and_never_cuts(
    model: CLIP, text: torch.Tensor, taken: list[int], change: Callable[[CLIP], None]
) -> None:
    change(model)
    with torch.no_grad():
        assert_close(model.encode_text(text), plainly(model.encode_text, text))
    assert taken == [4 * 20] * WHOLE_BLOCKS.get(change, 2)


def change_a_picture_block(model: CLIP) -> None:
    model.visual.transformer.resblocks[1].mlp.c_fc.register_forward_hook(lambda *_: None)


def watch_the_picture_stack(model: CLIP) -> None:
    model.visual.transformer.register_forward_hook(lambda module, args, x: x.flip(0))


def mask_pictures(model: CLIP) -> None:
    model.visual.transformer.resblocks[0].attn_mask = torch.randn(17, 17)


def own_stack(model: CLIP) -> None:
    stack = model.visual.transformer
    stack.forward = lambda x: stack.resblocks(x).flip(0)


@pytest.mark.parametrize(
    ("change", "blocks"),
    [(change_a_picture_block, 1), (watch_the_picture_stack, 2), (mask_pictures, 2), (own_stack, 2)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_pictures_too_get_whole_blocks_where_somebody_watches(
    model: CLIP,
    image: torch.Tensor,
    taken: list[int],
    change: Callable[[CLIP], None],
    blocks: int,
) -> None:
    change(model)
    with torch.no_grad():
        assert_close(model.encode_image(image), plainly(model.encode_image, image))
    assert taken == [3 * 17] * blocks


def test_steps_aside_for_replaced_functions(
    model: CLIP, text: torch.Tensor, taken: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(F, "multi_head_attention_forward", F.multi_head_attention_forward)
    with torch.no_grad():
        model.encode_text(text)
    assert len(taken) == 3, "the same function again is no change"
    original = F.multi_head_attention_forward
    monkeypatch.setattr(F, "multi_head_attention_forward", lambda *a, **k: original(*a, **k))
    with torch.no_grad():
        model.encode_text(text)
    assert len(taken) == 3


@pytest.mark.parametrize(
    "kind", [nn.Linear, nn.MultiheadAttention, nn.Sequential, towers.ResidualAttentionBlock]
)
def test_steps_aside_for_a_class_with_another_call(
    model: CLIP, text: torch.Tensor, monkeypatch: pytest.MonkeyPatch, kind: type[nn.Module]
) -> None:
    called: list[nn.Module] = []
    original = kind.__call__

    def call(module: nn.Module, *args: Any, **options: Any) -> Any:
        called.append(module)
        return original(module, *args, **options)

    with torch.no_grad():
        model.encode_text(text)
        monkeypatch.setattr(kind, "__call__", call)
        model.encode_text(text)
    assert called


def test_no_pictures_and_no_texts(
    model: CLIP, image: torch.Tensor, text: torch.Tensor, taken: list[int]
) -> None:
    with torch.no_grad():
        assert model.encode_image(image[:0]).shape == (0, 64)
        assert model.encode_text(text[:0]).shape == (0, 64)
    assert taken == []


@pytest.mark.parametrize("mask", [torch.zeros(1, 1), torch.zeros(20, 1)], ids=["1x1", "20x1"])
def test_a_mask_of_another_shape_is_refused_as_ever(
    model: CLIP, text: torch.Tensor, mask: torch.Tensor
) -> None:
    for block in model.transformer.resblocks:
        block.attn_mask = mask
    with torch.no_grad(), pytest.raises(RuntimeError, match="shape of the 2D attn_mask"):
        model.encode_text(text)


def test_what_is_no_token_is_refused_behind_the_end_too(model: CLIP, text: torch.Tensor) -> None:
    with torch.no_grad(), pytest.raises(IndexError):
        model.encode_text(torch.where(text == 0, -1, text))


def test_places_may_have_a_batch_dimension(model: CLIP) -> None:
    model.positional_embedding = nn.Parameter(torch.randn(1, 20, 64))
    text = torch.tensor([[5], [299]])
    with torch.no_grad():
        assert_close(model.encode_text(text), plainly(model.encode_text, text))


def test_another_default_dtype_changes_nothing(model: CLIP, text: torch.Tensor) -> None:
    expected = plainly(model.encode_text, text)
    kernels._causal.cache_clear()
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        assert kernels._can_run()
        with torch.no_grad():
            assert_close(model.encode_text(text), expected)
    finally:
        torch.set_default_dtype(before)


def test_the_import_leaves_the_random_state_alone() -> None:
    code = (
        "import torch; before = torch.get_rng_state(); import clip, clip.optimized; "
        "assert torch.equal(before, torch.get_rng_state())"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def global_hook() -> Iterator[None]:
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    yield
    handle.remove()


@pytest.mark.usefixtures("global_hook")
def test_steps_aside_for_a_global_hook(
    model: CLIP, image: torch.Tensor, taken: list[object]
) -> None:
    with torch.no_grad():
        model.encode_image(image)
    assert taken == []


CONTEXTS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "gradients": nullcontext,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "device mode": lambda: torch.device("cpu"),
    "forward differentiation": torch.autograd.forward_ad.dual_level,
}


@pytest.mark.parametrize("name", CONTEXTS)
def test_steps_aside_in_special_contexts(
    model: CLIP, image: torch.Tensor, taken: list[object], name: str
) -> None:
    with torch.set_grad_enabled(name == "gradients"), CONTEXTS[name]():
        model.encode_image(image)
    assert taken == []


def test_steps_aside_for_other_dtypes_and_tensor_subclasses(
    model: CLIP, image: torch.Tensor, taken: list[object]
) -> None:
    class Tagged(torch.Tensor):
        pass

    with torch.no_grad():
        model.encode_image(image.as_subclass(Tagged))
        model.double().encode_image(image)
    assert taken == []


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_vmap_gets_the_plain_blocks(model: CLIP, image: torch.Tensor, taken: list[object]) -> None:
    with torch.no_grad():
        rows = torch.func.vmap(lambda x: model.encode_image(x[None])[0])(image)
        assert taken == []
        assert_close(rows, model.encode_image(image))


def test_an_operator_that_refuses_leaves_the_plain_path(
    model: CLIP, image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> torch.Tensor:
        raise RuntimeError("not on this processor")

    expected = plainly(model.encode_image, image)
    monkeypatch.setattr(kernels, "_linear", refuse)
    with torch.no_grad():
        assert torch.equal(model.encode_image(image), expected)
