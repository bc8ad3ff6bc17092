"""The default path with its techniques taken away, one after the other, in a process of its own.

The variants take turns, so that they differ by nothing but what they compute.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from contenders import ARCHIVE
from inputs import captions, pixels
from torch import Tensor

import clip
from clip import kernels

PICTURES, CAPTIONS = 16, 64
LARGEST_ERROR = 1e-5  # of the largest feature

Texts = Callable[[Tensor], Tensor]


def whole_stack(
    blocks: Sequence[Any], x: Tensor, groups: Any, mask: Tensor | None, ends: Tensor
) -> Tensor:
    """All of the last block, too."""
    for block in blocks:
        x = kernels._block(block, x, groups, mask)
    return x[ends]


def apart_plus(residual: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The sum in a step of its own."""
    return residual + kernels._linear(x, weight, bias)


def apart_mlp(block: Any, x: Tensor) -> Tensor:
    """The activation as the module computes it."""
    hidden = kernels._linear(
        kernels._norm(block.ln_2, x), block.mlp.c_fc.weight, block.mlp.c_fc.bias
    )
    hidden = block.mlp.gelu(hidden)
    return kernels._linear_plus(x, hidden, block.mlp.c_proj.weight, block.mlp.c_proj.bias)


def ended_at(length: int) -> Texts:
    """Texts of this length: as much work as if all were computed up to there."""

    def ended(text: Tensor) -> Tensor:
        end = int(text.max())
        text = text.clamp(max=end - 1)
        text[:, length - 1] = end
        return text

    return ended


def longest(text: Tensor) -> Tensor:
    return ended_at(int(text.argmax(1).max()) + 1)(text)


WHOLE = ended_at(77)
"""Every position of the context."""

VARIANTS: dict[str, tuple[dict[str, Any], Texts]] = {
    "the plain modules": ({"_USABLE": False}, WHOLE),
    "oneDNN's products": (
        {"_stack": whole_stack, "_linear_plus": apart_plus, "_mlp": apart_mlp},
        WHOLE,
    ),
    "+ fused residual": ({"_stack": whole_stack, "_mlp": apart_mlp}, WHOLE),
    "+ fused activation": ({"_stack": whole_stack}, WHOLE),
    "+ texts up to the longest": ({"_stack": whole_stack}, longest),
    "+ texts laid end to end": ({"_stack": whole_stack}, lambda text: text),
    "+ last block only where it is read": ({}, lambda text: text),
}


@contextmanager
def without(changes: dict[str, Any]) -> Iterator[None]:
    with ExitStack() as stack:
        for name, value in changes.items():
            stack.enter_context(patch.object(kernels, name, value))
        yield


def seconds_of(run: Callable[[Tensor], Tensor], inputs: Tensor) -> float:
    begin = time.perf_counter()
    run(inputs)
    return time.perf_counter() - begin


def check(model: Any, image: Tensor, text: Tensor) -> None:
    """Every variant computes the same for the same input."""
    for encode, inputs in ((model.encode_image, image), (model.encode_text, text)):
        with without({"_USABLE": False}):
            expected = encode(inputs)
        for name, (changes, _) in VARIANTS.items():
            with without(changes):
                error = (encode(inputs) - expected).abs().max() / expected.abs().max()
            assert error < LARGEST_ERROR, (name, error)


@torch.no_grad()
def main() -> None:
    folder, rounds = Path(sys.argv[2]), int(sys.argv[3])
    model, _ = clip.load(str(folder / ARCHIVE), device="cpu")
    image, text = pixels(PICTURES), captions(CAPTIONS)
    check(model, image[:2], text[:8])
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in VARIANTS}
    for _ in range(rounds):
        for name, (changes, ended) in VARIANTS.items():
            with without(changes):
                times[name][0].append(seconds_of(model.encode_image, image))
                times[name][1].append(seconds_of(model.encode_text, ended(text)))
    speeds = {
        name: {"images/s": PICTURES / min(pictures), "captions/s": CAPTIONS / min(texts)}
        for name, (pictures, texts) in times.items()
    }
    print(json.dumps(speeds))


if __name__ == "__main__":
    main()
