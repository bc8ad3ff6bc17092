"""What an encoder does for accelerators, as far as it can be seen without one.

tests/gpu runs the same on a GPU.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import clip
from clip.model import CLIP
from snaplink import encoder as encoders
from snaplink.encoder import ClipEncoder, load_encoder

TEXTS = ["a cat", "a dog", "a red apple on a table", "two owls"]


@pytest.fixture
def on_meta() -> ClipEncoder:
    """An encoder on a device that has shapes but no values: whoever asks it for one fails."""
    model, preprocess = clip.load("tiny", device="cpu")
    encoder = ClipEncoder(model, preprocess, "tiny", batch_size=2)
    model.to("meta")
    return encoder


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of what comes back from the device, which it gives as zeros."""
    shapes: list[tuple[int, ...]] = []

    def cpu(tensor: Tensor) -> Tensor:
        shapes.append(tuple(tensor.shape))
        return torch.zeros(tensor.shape)

    monkeypatch.setattr(Tensor, "cpu", cpu)
    return shapes


def test_pictures_come_back_once_for_all_batches(
    on_meta: ClipEncoder, fetched: list[tuple[int, ...]]
) -> None:
    side = on_meta.resolution
    assert on_meta.encode_pixels(torch.zeros(5, 3, side, side)).shape == (5, on_meta.dim)
    assert fetched == [(5, on_meta.dim)]


def test_bytes_are_normalised_on_the_device(
    on_meta: ClipEncoder, fetched: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[tuple[str, torch.dtype]] = []
    normalize = type(on_meta.bulk).normalize

    def seen(self: Any, pixels: Tensor) -> Tensor:
        places.append((pixels.device.type, pixels.dtype))
        return normalize(self, pixels)

    monkeypatch.setattr(type(on_meta.bulk), "normalize", seen)
    side = on_meta.resolution
    on_meta.encode_pixels(torch.zeros(3, 3, side, side, dtype=torch.uint8))
    assert places == [("meta", torch.uint8)] * 2
    assert fetched == [(3, on_meta.dim)]


def test_texts_are_cut_before_they_go_over_and_come_back_once(
    on_meta: ClipEncoder, fetched: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []
    encode = CLIP.encode_text
    monkeypatch.setattr(
        CLIP, "encode_text", lambda model, text: seen.append(text.shape) or encode(model, text)
    )
    on_meta.encode_texts(TEXTS)
    assert seen == [(2, 4), (2, 8)]  # start and end, and as many tokens as the longest text has
    assert fetched == [(4, on_meta.dim)]


def test_a_text_tower_that_sees_everything_is_not_cut(
    on_meta: ClipEncoder, fetched: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for block in on_meta.model.transformer.resblocks:
        block.attn_mask = None
    seen: list[tuple[int, ...]] = []
    encode = CLIP.encode_text
    monkeypatch.setattr(
        CLIP, "encode_text", lambda model, text: seen.append(text.shape) or encode(model, text)
    )
    on_meta.encode_texts(TEXTS)
    assert seen == [(2, 77), (2, 77)]


def test_cut_texts_have_the_features_of_whole_ones() -> None:
    model, _ = clip.load("tiny", device="cpu")
    tokens = clip.tokenize(TEXTS)
    with torch.no_grad():
        whole, cut = model.encode_text(tokens), model.encode_text(tokens[:, :9])
    torch.testing.assert_close(cut, whole, rtol=0, atol=1e-5 * whole.abs().max().item())


def test_what_goes_to_a_gpu_is_pinned_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls that are made; that they do not wait is what tests/gpu shows."""
    encoder = load_encoder("tiny", "cpu")
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(ClipEncoder, "_device", torch.device("cuda"))
    monkeypatch.setattr(Tensor, "pin_memory", lambda x: calls.append(("pinned", x.shape)) or x)
    monkeypatch.setattr(
        Tensor, "to", lambda x, device, non_blocking: calls.append((device.type, non_blocking)) or x
    )
    encoder._placed(torch.zeros(2))
    assert calls == [("pinned", (2,)), ("cuda", True)]


def test_resnets_for_a_gpu_lie_in_the_order_of_its_convolutions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = CLIP(32, 64, (1, 1, 1, 1), 16, None, 10, 300, 64, 1, 1).eval()
    monkeypatch.setattr(encoders, "_available", lambda _: torch.device("cuda"))
    _, preprocess = clip.load("tiny", device="cpu")
    monkeypatch.setattr(clip, "load", lambda name, device: (model, preprocess))
    load_encoder("of a GPU")
    weight = model.visual.layer1[0].conv2.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
