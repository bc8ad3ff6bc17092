"""Stores of a test's own vectors, and who encodes without a model, for what serves stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from snaplink.fake_encoder import FakeEncoder
from snaplink.fingerprint import fingerprint
from snaplink.serve.settings import Settings
from snaplink.serve.shelf import Shelf
from snaplink.store import Store, Writer, embedding_column

__all__ = ["DIM", "Fake", "add", "opened", "unit"]

DIM = 16


class Fake:
    """As much of an `Inference` as a shelf needs, at once."""

    def __init__(self) -> None:
        self.encoder = FakeEncoder(dim=DIM)
        self.dim, self.upright, self.bulk = DIM, True, False

    async def texts(self, texts):
        return self.of(*texts)

    async def pictures(self, contents, *, names=None):
        return self.of(*(f"picture {len(content)}" for content in contents))

    def of(self, *words: str):
        """The unit vectors of words, ``[n, dim]``."""
        if not words:
            return np.empty((0, DIM), np.float32)
        return self.encoder.encode_texts(list(words), normalize=True).numpy()


def unit(count: int, seed: int = 0) -> Any:
    """Unit vectors drawn at random, ``[count, dim]``."""
    rows = np.random.default_rng(seed).standard_normal((count, DIM))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def add(
    path: Path, image: Any = None, *, text: Any = None, first: int = 0, **columns: Any
) -> Store:
    """Rows with these vectors, of NaN where there is none; added to the store, if there is one."""
    matrices = {"image": image, "text": text}
    matrices = {name: matrix for name, matrix in matrices.items() if matrix is not None}
    count = len(next(iter(matrices.values())))
    table = {
        "key": [f"{number:05}.png" for number in range(first, first + count)],
        "source": [f"/nowhere/{number:05}.png" for number in range(first, first + count)],
        "width": [100] * count,
        "height": [50] * count,
        "size": [10] * count,
        "mtime_ns": [1] * count,
        **columns,
    }
    for name, matrix in matrices.items():
        table[f"{name}_embedding"] = embedding_column(
            np.nan_to_num(matrix).astype(np.float16), missing=np.isnan(matrix).any(1)
        )
    made_by = fingerprint(FakeEncoder(dim=DIM), upright=True, normalized=True, bulk=False)
    with Writer(path, made_by, dim=DIM, modalities=tuple(matrices)) as writer:
        if count:
            writer.append(pa.table(table))
    return Store.open(path)


@asynccontextmanager
async def opened(path: Path, **settings: Any) -> AsyncIterator[Shelf]:
    """A shelf that serves this store."""
    shelf = Shelf(Settings(store=path, **settings), Fake())  # type: ignore[arg-type]
    await shelf.start()
    try:
        yield shelf
    finally:
        await shelf.close()
        await asyncio.sleep(0)
