"""Activation and heads: the caller's word, the config's, OpenAI's, or a refusal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clip.architecture import Architecture
from clip.checkpoint.meaning import Meaning
from clip.errors import CheckpointError

VIT = Architecture(512, 224, 12, 768, 32, 77, 49408, 512, 8, 12)
RESNET = Architecture(1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12)
HEADS = {1280: 16, 1408: 16, 1664: 16, 1792: 16}


@pytest.mark.parametrize(("architecture", "heads"), [(VIT, 12), (RESNET, 32)])
def test_without_a_word_openai_s_choices_hold(architecture: Architecture, heads: int) -> None:
    settled = Meaning().settled(architecture, "file.pt")
    assert (settled.activation, settled.vision_heads) == ("quick_gelu", heads)
    assert settled.text_heads == 8


def test_what_is_said_stays() -> None:
    said = Meaning(activation="gelu", vision_heads=6, text_heads=4)
    assert said.settled(VIT, "file.pt") == said


@pytest.mark.parametrize("width", HEADS)
def test_sizes_of_open_clip_s_large_models_are_refused_with_what_to_pass(width: int) -> None:
    large = replace(VIT, vision_width=width)
    with pytest.raises(CheckpointError, match=rf"vision_heads={HEADS[width]} and activation="):
        Meaning().settled(large, "file.pt")
    with pytest.raises(CheckpointError, match="vision_heads="):
        Meaning(activation="gelu").settled(large, "file.pt")
    with pytest.raises(CheckpointError, match="activation="):
        Meaning(vision_heads=16).settled(large, "file.pt")
    said = Meaning(activation="gelu", vision_heads=HEADS[width])
    assert said.settled(large, "file.pt").vision_heads == HEADS[width]


@pytest.mark.parametrize(
    ("architecture", "given", "message"),
    [
        (VIT, {"vision_heads": 7}, "768 channels of the vision tower .* 7 attention heads"),
        (VIT, {"text_heads": 0}, "512 channels of the text tower .* 0 attention heads"),
        (replace(VIT, vision_width=32), {}, "32 channels .* heads of 64 .* Pass vision_heads="),
        (replace(VIT, transformer_width=1000), {}, "1000 channels .* Pass text_heads="),
    ],
)
def test_heads_must_share_the_channels(
    architecture: Architecture, given: dict[str, int], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        Meaning(**given).settled(architecture, "file.pt")


def test_an_unknown_activation_is_an_error() -> None:
    with pytest.raises(ValueError, match="activation='relu' is not one of"):
        Meaning(activation="relu").settled(VIT, "file.pt")  # type: ignore[arg-type]
