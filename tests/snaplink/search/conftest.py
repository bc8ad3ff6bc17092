"""Stores with vectors that a test chooses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from snaplink.fake_encoder import FakeEncoder
from snaplink.fingerprint import Fingerprint, fingerprint
from snaplink.store import Store, Writer, embedding_column

Make = Callable[..., Store]


def unit(matrix: Any) -> Any:
    return matrix / np.linalg.norm(matrix, axis=-1, keepdims=True)


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder(dim=16)


@pytest.fixture
def made_by(encoder: FakeEncoder) -> Fingerprint:
    return fingerprint(encoder, upright=True, normalized=True, bulk=False)


@pytest.fixture
def stored(tmp_path: Path, made_by: Fingerprint) -> Make:
    """Make a store of vectors; rows of NaN hold none. Called again, it adds to the same."""

    def make(
        image: Any,
        text: Any = None,
        *,
        name: str = "s.store",
        first: int = 0,
        by=made_by,
        **columns: Any,
    ):
        count = len(image)
        matrices = {"image": image} if text is None else {"image": image, "text": text}
        table = {
            "key": [f"{number:04}.png" for number in range(first, first + count)],
            "source": [f"/pictures/{number:04}.png" for number in range(first, first + count)],
            "width": [100] * count,
            "height": [50] * count,
            "size": [10] * count,
            "mtime_ns": [1] * count,
            **columns,
        }
        for modality, matrix in matrices.items():
            missing = np.isnan(matrix).any(1)
            table[f"{modality}_embedding"] = embedding_column(
                np.nan_to_num(matrix).astype(np.float16), missing=missing
            )
        path = tmp_path / name
        with Writer(path, by, dim=image.shape[1], modalities=tuple(matrices)) as writer:
            if count:
                writer.append(pa.table(table))
        return Store.open(path)

    return make


@pytest.fixture
def drawn() -> Callable[..., Any]:
    """Unit vectors drawn at random, as float16 holds them."""

    def draw(count: int, dim: int = 16, seed: int = 0) -> Any:
        rows = np.random.default_rng(seed).standard_normal((count, dim))
        return unit(rows).astype(np.float16)

    return draw
