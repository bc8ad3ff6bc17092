"""Fixed inputs for every contender."""

from __future__ import annotations

import numpy as np
import torch


def pixels(count: int, side: int = 224) -> torch.Tensor:
    """Noise as preprocessed pictures have it, float32 [count, 3, side, side]."""
    shape = (count, 3, side, side)
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape, "f4"))


def captions(count: int) -> torch.Tensor:
    """Token ids of captions of 8 to 15 tokens, as `clip.tokenize` gives them: int32 [count, 77]."""
    random = np.random.default_rng(1)
    tokens = np.zeros((count, 77), dtype=np.int32)
    for row in tokens:
        length = random.integers(8, 16)
        row[:length] = [49406, *random.integers(320, 40000, length - 2), 49407]
    return torch.from_numpy(tokens)
