"""A small model, and ways to write it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from clip.model import CLIP, convert_weights

SIZES = (8, 32, 1, 64, 16, 8, 40, 64, 1, 1)


@pytest.fixture
def model() -> CLIP:
    return small()


def small() -> CLIP:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CLIP(*SIZES).eval()


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Write any value with `torch.save`; gives the path."""

    def write(value: Any, **options: Any) -> Path:
        path = tmp_path / "saved.pt"
        torch.save(value, path, **options)
        return path

    return write


@pytest.fixture
def archive(traced: bytes, tmp_path: Path) -> Path:
    """A TorchScript archive as OpenAI's: half precision, and three sizes as buffers."""
    path = tmp_path / "scripted.pt"
    path.write_bytes(traced)
    return path


@pytest.fixture(scope="session")
def traced() -> bytes:
    """Tracing takes a second; what it gives is the same each time."""
    scripted = small()
    convert_weights(scripted)
    for name in ("context_length", "vocab_size"):
        delattr(scripted, name)
    sizes = {"input_resolution": SIZES[1], "context_length": SIZES[5], "vocab_size": SIZES[6]}
    for name, value in sizes.items():
        scripted.register_buffer(name, torch.tensor(value))
    picture = torch.ones(1, 3, SIZES[1], SIZES[1], dtype=torch.half)
    text = torch.ones(1, SIZES[5], dtype=torch.long)
    inputs = {"encode_image": picture, "encode_text": text, "forward": (picture, text)}
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates its own TorchScript
        torch.jit.save(torch.jit.trace_module(scripted, inputs, check_trace=False), file)
    return file.getvalue()
