"""Pictures and captions to try a model with, and how far features are from others."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from torch import Tensor

__all__ = ["both", "captions", "cosine", "pictures"]


def pictures(count: int, side: int) -> Tensor:
    """float32 [count, 3, side, side]: noise of all sizes, the large the stronger, as in pictures.

    Their values are about those of preprocessed photographs.
    """
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(count, 3, side, side)
    size = 2
    while size < side:
        noise = torch.randn(count, 3, size, size, generator=generator)
        total += F.interpolate(noise, (side, side), mode="bilinear") * (2 / size) ** 0.5
        size *= 2
    return (total / total.std()).clamp_(-1.8, 2.1)


def captions(count: int, context_length: int, vocabulary: int) -> Tensor:
    """int64 [count, context_length]: random tokens, a third to a tenth of the context, padded."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.zeros(count, context_length, dtype=torch.int64)
    for row in tokens:
        longest = max(3, context_length // 3)
        share = torch.rand((), generator=generator).item()
        length = max(2, round(longest * (0.3 + 0.7 * share)))
        row[:length] = torch.randint(1, vocabulary - 1, (length,), generator=generator)
        row[length - 1] = vocabulary - 1  # the end token has the highest id
    return tokens


def cosine(features: Tensor, others: Tensor) -> float:
    """The smallest cosine between a row and its twin."""
    features, others = features.double().cpu(), others.double().cpu()
    return float(F.cosine_similarity(features, others).min())


def both(model: Any, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
    """A model's features of the pictures and of the captions."""
    with torch.no_grad():
        return model.encode_image(image), model.encode_text(text)
