"""From the names of three libraries to OpenAI's, whole and with nothing left over."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from clip.architecture import Architecture
from clip.checkpoint.layouts import shape_of, to_openai
from clip.checkpoint.tensors import StoredTensor
from clip.checkpoint.transformers_names import TRANSPOSED, transformers_names
from clip.errors import CheckpointError

VIT = Architecture(96, 64, 2, 128, 32, 20, 100, 64, 1, 3)
RESNET = Architecture(96, 64, (1, 2, 1, 1), 16, None, 20, 100, 64, 1, 3)
LAYER = "text_model.encoder.layers.0."


class File:
    path, size = "file.pt", 1 << 40


def stored(shape: tuple[int, ...], dtype: torch.dtype = torch.float16) -> StoredTensor:
    stride = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    return StoredTensor(File(), dtype, shape, stride, 0, math.prod(shape) * 2)


def openai(architecture: Architecture, **widths: int) -> dict[str, Any]:
    return {name: stored(shape) for name, shape in architecture.shapes(**widths).items()}


def open_clip(architecture: Architecture) -> dict[str, Any]:
    """As `CustomTextCLIP` names its text tower."""
    outside = ("visual.", "logit_scale")
    return {
        name if name.startswith(outside) else f"text.{name}": tensor
        for name, tensor in openai(architecture).items()
    }


def transformers(architecture: Architecture) -> dict[str, Any]:
    return dict(_transformers(architecture))


def _transformers(architecture: Architecture) -> Iterator[tuple[str, StoredTensor]]:
    for name, shape in architecture.shapes().items():
        there = transformers_names(name)
        if name in TRANSPOSED:
            shape = shape[::-1]
        if len(there) == 3:
            shape = (shape[0] // 3, *shape[1:])
        yield from ((part, stored(shape)) for part in there)


LAYOUTS = {"OpenAI": openai, "open_clip": open_clip, "transformers": transformers}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_openai_s_names_and_shapes(layout: str) -> None:
    weights = to_openai(LAYOUTS[layout](VIT), None, "file.pt")
    assert weights.layout == layout
    assert weights.architecture == VIT
    assert {name: shape_of(entry) for name, entry in weights.tensors.items()} == VIT.shapes()


@pytest.mark.parametrize("layout", ["OpenAI", "open_clip"])
def test_resnets_are_known_too(layout: str) -> None:
    weights = to_openai(LAYOUTS[layout](RESNET), None, "file.pt")
    assert weights.architecture == RESNET
    assert weights.tensors.keys() == RESNET.shapes().keys()


def test_split_projections_are_joined_in_the_order_q_k_v() -> None:
    tree = transformers(VIT)
    q, k, v = (replace(stored((64, 64)), offset=offset) for offset in (1, 2, 3))
    tree |= {
        f"{LAYER}self_attn.{name}_proj.weight": t for name, t in zip("qkv", (q, k, v), strict=True)
    }
    weights = to_openai(tree, None, "file.pt")
    assert weights.tensors["transformer.resblocks.0.attn.in_proj_weight"] == (q, k, v)


def test_only_transformers_projections_are_transposed() -> None:
    square = replace(VIT, embed_dim=64, vision_width=64)
    for layout, stride in (("OpenAI", (64, 1)), ("open_clip", (64, 1)), ("transformers", (1, 64))):
        weights = to_openai(LAYOUTS[layout](square), None, "file.pt")
        for name in ("text_projection", "visual.proj"):
            tensor = weights.tensors[name]
            assert isinstance(tensor, StoredTensor)
            assert tensor.stride == stride


def test_buffers_that_are_no_weights_are_passed_over() -> None:
    scalars = dict.fromkeys(("input_resolution", "context_length", "vocab_size"), stored(()))
    assert to_openai(openai(VIT) | scalars, None, "file.pt").tensors.keys() == VIT.shapes().keys()
    ids = stored((1, 20), torch.int64)
    tree = transformers(VIT) | {"text_model.embeddings.position_ids": ids}
    assert to_openai(tree, None, "file.pt").tensors.keys() == VIT.shapes().keys()


def test_counts_of_batches_are_no_weights_but_kept() -> None:
    tree = openai(RESNET)
    del tree["visual.bn1.num_batches_tracked"]
    tree["visual.bn2.num_batches_tracked"] = stored((), torch.int64)
    tensors = to_openai(tree, None, "file.pt").tensors
    assert "visual.bn1.num_batches_tracked" not in tensors
    assert "visual.bn2.num_batches_tracked" in tensors


def test_a_scale_in_a_vector_of_one_is_a_scalar() -> None:
    tree = openai(VIT) | {"logit_scale": stored((1,))}
    assert shape_of(to_openai(tree, None, "file.pt").tensors["logit_scale"]) == ()


def test_mlps_of_another_width_are_seen() -> None:
    weights = to_openai(openai(VIT, vision_mlp_width=500), None, "file.pt")
    assert weights.meaning.vision_mlp_width == 500
    assert weights.meaning.text_mlp_width is None


def without(tree: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in tree.items() if name not in names}


K_BIAS = f"{LAYER}self_attn.k_proj.bias"


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (without(openai(VIT), "visual.proj"), r"missing \(1\): visual\.proj"),
        (without(openai(VIT), "visual.conv1.weight"), r"visual\.conv1\.weight is missing"),
        (without(transformers(VIT), K_BIAS), rf"missing \(1\): {K_BIAS}"),
        (without(transformers(VIT), "logit_scale"), r"missing \(1\): logit_scale"),
        (without(open_clip(VIT), "text.ln_final.bias"), r"missing \(1\): text\.ln_final\.bias"),
        (without(openai(RESNET), "visual.bn1.weight"), r"missing \(1\): visual\.bn1\.weight"),
        (
            {name: value for name, value in openai(VIT).items() if "mlp" not in name},
            r"missing \(20\): visual\.transformer\.resblocks\.0\.mlp\.c_fc\.weight, .*and 15 more",
        ),
        (openai(VIT) | {"visual.x": stored(())}, r"no use for \(1\): visual\.x"),
        (open_clip(VIT) | {"ln_final.bias": stored((64,))}, r"no use for \(1\): ln_final\.bias"),
        (transformers(VIT) | {"visual.proj": stored((128, 96))}, r"no use for \(1\): visual\.proj"),
        (open_clip(VIT) | {"text.visual.proj": stored((128, 96))}, r"no use for \(1\): "),
        (openai(VIT) | {"extra": stored((1,))}, r"no use for \(1\): extra"),
        (
            openai(VIT) | {"ln_final.bias": stored((65,))},
            r"ln_final\.bias has shape \[65\].*\[64\]",
        ),
        (
            transformers(VIT) | {f"{LAYER}mlp.fc1.bias": stored((7,))},
            rf"{LAYER}mlp\.fc1\.bias has shape \[7\], but the other weights ask for \[256\]",
        ),
        (transformers(VIT) | {K_BIAS: stored((63,))}, "do not fit together"),
        (transformers(VIT) | {K_BIAS: stored(())}, "do not fit together"),
        (transformers(VIT) | {K_BIAS: stored((64,), torch.float32)}, "do not fit together"),
        (openai(VIT) | {"ln_final.bias": None}, "ln_final.bias is nothing, not a dense tensor"),
        (
            openai(VIT) | {"ln_final.bias": stored((64,), torch.int8)},
            "ln_final.bias has the type int8",
        ),
        (openai(VIT) | {"positional_embedding": stored((9999, 64))}, "context length of 9999"),
        (
            openai(VIT) | {"visual.positional_embedding": stored((6, 128))},
            "6 rows: a square number",
        ),
        (
            openai(VIT) | {"transformer.resblocks.x.ln_1.bias": stored((64,))},
            r"no use for \(1\): transformer\.resblocks\.x|missing",
        ),
    ],
)
def test_what_does_not_fit_is_named_as_the_file_names_it(tree: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as error:
        to_openai(tree, None, "file.pt")
    assert str(error.value).startswith("file.pt: ")


def test_plain_values_beside_the_weights_do_not_matter() -> None:
    tree = openai(VIT) | {"epoch": 3, "args": object()}
    assert to_openai(tree, None, "file.pt").architecture == VIT


@pytest.mark.parametrize(
    ("tree", "path"),
    [(open_clip(VIT), "file.pt"), (openai(VIT), "some/where/open_clip_pytorch_model.bin")],
)
def test_open_clip_s_weights_without_its_config_are_doubtful(tree: Any, path: str) -> None:
    meaning = to_openai(tree, None, path).meaning
    with pytest.raises(CheckpointError, match='Pass activation="gelu"'):
        meaning.settled(VIT, path)
    assert replace(meaning, activation="gelu").settled(VIT, path).activation == "gelu"


SHAPES = ((), (0,), (1,), (64,), (64, 64), (96, 128), (2, 3, 4, 5), (1 << 40, 1), (9, 128))
DTYPES = (torch.float16, torch.float32, torch.int64, torch.bool)


def mutated(tree: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The same with up to three weights lost, renamed, reshaped, or replaced by anything."""
    tree = dict(tree)
    for _ in range(chance.randint(1, 3)):
        name = chance.choice(list(tree))
        value = tree.pop(name)
        match chance.randrange(5):
            case 0:
                tree[name] = stored(chance.choice(SHAPES), chance.choice(DTYPES))
            case 1:
                tree[name] = chance.choice((None, 3, "x", [], {"a": value}, object()))
            case 2:
                tree[chance.choice(list(tree))] = value
            case 3:
                tree[chance.choice(("module.", "text.", "visual.", "x.", "")) + name] = value
            case 4:
                tree[name.replace("0", chance.choice(("1", "9", "x", "00", "-1", "")))] = value
    return tree


@pytest.mark.parametrize("layout", LAYOUTS)
def test_whatever_a_file_holds_it_is_whole_or_refused(layout: str) -> None:
    chance = random.Random(layout)
    whole = [LAYOUTS[layout](VIT)]
    whole += [] if layout == "transformers" else [LAYOUTS[layout](RESNET)]
    refused = 0
    for _ in range(300):
        try:
            weights = to_openai(mutated(chance.choice(whole), chance), None, "file.pt")
        except CheckpointError:
            refused += 1
            continue
        meaning = weights.meaning
        expected = weights.architecture.shapes(
            vision_mlp_width=meaning.vision_mlp_width, text_mlp_width=meaning.text_mlp_width
        )
        counts = {name for name in expected if name.endswith("num_batches_tracked")}
        assert expected.keys() - counts <= weights.tensors.keys() <= expected.keys()
        for name, entry in weights.tensors.items():
            assert shape_of(entry) == expected[name]
    assert 100 < refused < 300
