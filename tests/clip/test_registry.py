"""The models that have a name."""

from __future__ import annotations

import re

import pytest

from clip.registry import OFFICIAL, TINY, official_name

SPELLINGS = {
    "ViT-B/32": [
        *("ViT-B/32", "ViT-B-32", "vit-b-32", "ViT-B-32,openai", "ViT-B-32::openai"),
        *("ViT-B-32__openai", "open_clip:ViT-B-32/openai", "openai/clip-vit-base-patch32"),
        *("hf_clip:openai/clip-vit-base-patch32", "clip-ViT-B-32", "Qdrant/clip-ViT-B-32-vision"),
        *("Qdrant/clip-ViT-B-32-text", "sentence-transformers/clip-ViT-B-32", "ViT_B_32"),
        *("ViT-B-32-quickgelu", "ViT-B-32-quickgelu,openai"),
    ],
    "ViT-L/14@336px": [
        *("ViT-L-14-336", "ViT-L-14-336px", "ViT-L/14@336px", "ViT_L_14_336px"),
        *("ViT-L-14-336,openai", "openai/clip-vit-large-patch14-336"),
    ],
    "ViT-L/14": ["ViT-L-14,openai", "openai/clip-vit-large-patch14", "clip-ViT-L-14"],
    "RN50": ["RN50", "rn50", "RN50,openai", "RN50-quickgelu,openai", "RN50::openai"],
    "RN50x4": ["RN50x4", "RN50x4__openai"],
}

OTHERS = [
    *(
        "ViT-B-32,laion2b_s34b_b79k",
        "RN50,yfcc15m",
        "RN50::cc12m",
        "ViT-H-14",
        "ViT-B",
        "",
        "openai",
    ),
    *("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "open_clip:ViT-B-32/laion400m_e32", "tiny"),
    "google/siglip-base-patch16-224",
]


@pytest.mark.parametrize(
    ("spelling", "name"), [(s, name) for name, many in SPELLINGS.items() for s in many]
)
def test_spellings_that_mean_openai_s_weights(spelling: str, name: str) -> None:
    assert official_name(spelling) == name


@pytest.mark.parametrize("spelling", OTHERS)
def test_spellings_that_mean_something_else(spelling: str) -> None:
    assert official_name(spelling) is None


def test_the_folder_of_each_address_is_the_hash() -> None:
    for name, model in OFFICIAL.items():
        assert name == model.name
        assert model.url.split("/")[-2:] == [model.sha256, model.file]
        assert re.fullmatch("[0-9a-f]{64}", model.sha256)
    assert len({model.sha256 for model in OFFICIAL.values()}) == 9


def test_tiny_lies_in_the_package() -> None:
    assert TINY.parent.name == "data"
