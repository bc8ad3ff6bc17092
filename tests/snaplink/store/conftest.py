"""Small stores, and rows for them whose vectors tell which rows they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from snaplink.fingerprint import Fingerprint
from snaplink.store import Store, Writer, embedding_column

DIM = 4


def vector_of(key: str, version: int = 0) -> np.ndarray[Any, Any]:
    seed = int.from_bytes(hashlib.sha256(f"{key} {version}".encode()).digest()[:8], "little")
    vector = np.random.default_rng(seed).standard_normal(DIM)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def rows_of(keys: Sequence[str], version: int = 0, **columns: Any) -> pa.Table:
    """Rows with these keys; the version stands in the size and decides the vectors."""
    matrix = np.stack([vector_of(key, version) for key in keys])
    return pa.table(
        {
            "key": pa.array(keys, pa.string()),
            "source": [f"/pictures/{key}" for key in keys],
            "width": [640] * len(keys),
            "height": [480] * len(keys),
            "size": [version] * len(keys),
            "mtime_ns": [10**18 + version] * len(keys),
            **columns,
            "image_embedding": embedding_column(matrix),
        }
    )


@pytest.fixture
def vector() -> Callable[..., np.ndarray[Any, Any]]:
    return vector_of


@pytest.fixture
def rows() -> Callable[..., pa.Table]:
    return rows_of


@pytest.fixture
def fingerprint() -> Fingerprint:
    return Fingerprint(
        model="fake",
        weights_sha256="ab" * 32,
        architecture={"embed_dim": DIM, "image_resolution": 8},
        preprocessing={"size": 8, "mode": "custom", "upright": True, "path": "exact"},
        precision="fp32",
        normalized=True,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def writer(path: Path, fingerprint: Fingerprint) -> Callable[..., Writer]:
    """Opens a writer of the store at `path`."""
    return partial(Writer, path, fingerprint, dim=DIM)


@pytest.fixture
def versions() -> Callable[[Store], dict[str, int]]:
    """Reads a store: which version of each key it has; makes sure that all of it is right."""

    def read(store: Store) -> dict[str, int]:
        assert store.verify() == []
        table = store.table(["key", "size", "image_embedding"])
        keys, sizes = table["key"].to_pylist(), table["size"].to_pylist()
        assert len(set(keys)) == len(keys) == len(store)
        wanted = [vector_of(key, size) for key, size in zip(keys, sizes, strict=True)]
        matrix = store.to_numpy()
        assert matrix.shape == (len(keys), DIM)
        if keys:
            np.testing.assert_allclose(matrix, np.stack(wanted), atol=1e-3)
            stored = np.array(table["image_embedding"].to_pylist(), matrix.dtype)
            np.testing.assert_array_equal(stored, matrix)
        assert not set(store.failures()) & set(keys)
        return dict(zip(keys, sizes, strict=True))

    return read
