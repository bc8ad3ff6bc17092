"""The sizes of a model from the shapes of its weights."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from clip.architecture import Architecture, ArchitectureError
from clip.model import skeleton
from clip.registry import OFFICIAL

PUBLISHED = {
    "RN50": Architecture(1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12),
    "RN101": Architecture(512, 224, (3, 4, 23, 3), 64, None, 77, 49408, 512, 8, 12),
    "RN50x4": Architecture(640, 288, (4, 6, 10, 6), 80, None, 77, 49408, 640, 10, 12),
    "RN50x16": Architecture(768, 384, (6, 8, 18, 8), 96, None, 77, 49408, 768, 12, 12),
    "RN50x64": Architecture(1024, 448, (3, 15, 36, 10), 128, None, 77, 49408, 1024, 16, 12),
    "ViT-B/32": Architecture(512, 224, 12, 768, 32, 77, 49408, 512, 8, 12),
    "ViT-B/16": Architecture(512, 224, 12, 768, 16, 77, 49408, 512, 8, 12),
    "ViT-L/14": Architecture(768, 224, 24, 1024, 14, 77, 49408, 768, 12, 12),
    "ViT-L/14@336px": Architecture(768, 336, 24, 1024, 14, 77, 49408, 768, 12, 12),
}
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


@pytest.mark.parametrize("name", PUBLISHED)
def test_official_models_have_their_published_number_of_parameters(name: str) -> None:
    shapes = PUBLISHED[name].shapes()
    count = sum(math.prod(s) for key, s in shapes.items() if not key.endswith(BUFFERS))
    assert count == OFFICIAL[name].parameters


@pytest.mark.parametrize("name", PUBLISHED)
def test_names_shapes_and_order_are_those_of_the_model(name: str) -> None:
    built = skeleton(PUBLISHED[name]).state_dict()
    expected = [(key, tuple(tensor.shape)) for key, tensor in built.items()]
    assert list(PUBLISHED[name].shapes().items()) == expected


@pytest.mark.parametrize("name", PUBLISHED)
def test_shapes_give_the_architecture_back(name: str) -> None:
    assert Architecture.from_shapes(PUBLISHED[name].shapes()) == PUBLISHED[name]


@pytest.mark.parametrize(
    ("key", "shape", "message"),
    [
        ("positional_embedding", None, "positional_embedding is missing"),
        ("visual.conv1.weight", None, r"visual\.conv1\.weight is missing"),
        ("visual.conv1.weight", (768, 3), "4 dimensions expected"),
        ("visual.positional_embedding", (51, 768), r"51 rows: a square number \+ 1"),
        ("visual.positional_embedding", (1, 768), "a square number"),
        ("text_projection", (512, 0), "none of them 0"),
        ("positional_embedding", (100_000, 512), "context length of 100000"),
        ("visual.positional_embedding", (1_000_001, 768), "32000 pixels"),
    ],
)
def test_wrong_shapes_are_named(key: str, shape: tuple[int, ...] | None, message: str) -> None:
    shapes = PUBLISHED["ViT-B/32"].shapes()
    if shape is None:
        del shapes[key]
    else:
        shapes[key] = shape
    with pytest.raises(ArchitectureError, match=message):
        Architecture.from_shapes(shapes)


@pytest.mark.parametrize("tower", ["transformer.", "visual.transformer."])
def test_a_tower_without_blocks_is_no_model(tower: str) -> None:
    shapes = PUBLISHED["ViT-B/32"].shapes()
    rest = {k: s for k, s in shapes.items() if not k.startswith(tower)}
    with pytest.raises(ArchitectureError, match="no blocks"):
        Architecture.from_shapes(rest)


def test_a_changed_size_changes_the_shapes() -> None:
    small = replace(PUBLISHED["ViT-B/32"], vision_layers=2, image_resolution=64)
    assert Architecture.from_shapes(small.shapes()) == small
    assert small.shapes()["visual.positional_embedding"] == (5, 768)


def test_the_width_of_the_mlps_can_differ_from_openai_s() -> None:
    shapes = PUBLISHED["ViT-B/32"].shapes(vision_mlp_width=1000, text_mlp_width=1500)
    assert shapes["visual.transformer.resblocks.0.mlp.c_fc.weight"] == (1000, 768)
    assert shapes["transformer.resblocks.11.mlp.c_proj.weight"] == (512, 1500)
    assert Architecture.from_shapes(shapes) == PUBLISHED["ViT-B/32"]
