"""The host queues work and waits for the GPU once, when the features are fetched."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

import clip
from snaplink.encoder import load_encoder

SYNCHRONISES = "called a synchronizing CUDA operation"

Inputs = tuple[Tensor, Tensor]


@contextmanager
def alarm(mode: str) -> Iterator[None]:
    """Have torch tell ("warn") or refuse ("error") whatever makes the host wait."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that the alarm is a prototype
        torch.cuda.set_sync_debug_mode(mode)
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def waits(recorded: list[warnings.WarningMessage]) -> int:
    return sum(SYNCHRONISES in str(each.message) for each in recorded)


def test_the_alarm_rings(cuda: str) -> None:
    with alarm("warn"), warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        torch.ones(2, device=cuda).sum().item()
    assert waits(recorded) == 1


def test_encoding_waits_for_nothing(checkpoint: str, cuda: str, inputs: Inputs) -> None:
    model, _ = clip.load(checkpoint, device=cuda)
    image, text = (each.to(cuda) for each in inputs)
    with torch.no_grad(), alarm("error"):
        model.encode_image(image)
        model.encode_text(text)
        model(image, text)


def test_many_batches_wait_once(checkpoint: str, cuda: str, inputs: Inputs) -> None:
    encoder = load_encoder(checkpoint, cuda, batch_size=2)
    texts = ["a cat", "a red apple", "two owls on a branch"] * 3
    small = torch.zeros(7, 3, encoder.resolution, encoder.resolution, dtype=torch.uint8)
    for encode in (
        lambda: encoder.encode_pixels(inputs[0]),
        lambda: encoder.encode_pixels(small, normalize=True),
        lambda: encoder.encode_texts(texts),
    ):
        with alarm("warn"), warnings.catch_warnings(record=True) as recorded:
            warnings.simplefilter("always")
            encode()
        assert waits(recorded) == 1


def test_threads_share_a_model(checkpoint: str, device: str, inputs: Inputs) -> None:
    encoder = load_encoder(checkpoint, device, batch_size=3)
    expected = encoder.encode_pixels(inputs[0])
    found: list[Tensor] = []

    def encode() -> None:
        found.extend(encoder.encode_pixels(inputs[0]) for _ in range(5))

    threads = [threading.Thread(target=encode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert all(torch.equal(each, expected) for each in found)
