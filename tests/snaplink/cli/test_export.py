"""`snaplink export`, `import` and `verify` of a store, as they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from snaplink.encoder import load_encoder
from snaplink.fingerprint import fingerprint
from snaplink.store import Store, Writer, embedding_column


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three rows that tiny is said to have made; the last has no caption."""
    encoder = load_encoder("tiny")
    made_by = fingerprint(encoder, upright=True, normalized=True, bulk=False)
    drawn = np.random.default_rng(0).standard_normal((3, encoder.dim)).astype(np.float32)
    matrix = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    path = tmp_path / "pets.store"
    modalities = ("image", "text")
    with Writer(path, made_by, dim=encoder.dim, modalities=modalities) as writer:
        texts = embedding_column(matrix, missing=np.array([False, False, True]))
        writer.append(
            pa.table(
                {
                    "key": ["a.jpg", "b.jpg", "c.jpg"],
                    "caption": ["a cat", "a dog", None],
                    "image_embedding": embedding_column(matrix),
                    "text_embedding": texts,
                }
            )
        )
    return path


def test_there_and_back_for_real(started: Callable[..., Any], store: Path, tmp_path: Path):
    done = started("export", "pets.store", "out", "--format", "clip-retrieval")
    assert (done.code, done.out) == (0, "out: 3 rows in 1 partition\n")
    assert done.err == "snaplink: 1 row without a text vector: zeros stand there\n"
    done = started("import", "out", "again.store", "--model", "tiny")
    assert done.code == 0, done.err
    assert done.out == "again.store: 3 rows added; made by tiny, as you say\n"
    again = Store.open("again.store")
    np.testing.assert_allclose(again.to_numpy(), Store.open(store).to_numpy(), atol=1e-3)
    assert again.fingerprint.origin == "imported"
    assert again.fingerprint.precision == "unknown"
    again.check(Store.open(store).fingerprint, query=True)  # searched by the same model


def test_an_import_is_not_made_twice(typed: Callable[..., Any], store: Path):
    assert typed("export", "pets.store", "out").code == 0
    assert typed("import", "out", "again.store", "--model", "tiny").code == 0
    done = typed("import", "out", "again.store", "--model", "tiny")
    assert done.out == "again.store: 0 rows added, 3 there already; made by tiny, as you say\n"
    done = typed("import", "out", "pets.store", "--model", "tiny")
    assert done.code == 1
    assert "precision fp32, not unknown" in done.err


def test_what_is_told_instead(typed: Callable[..., Any], store: Path, tmp_path: Path):
    assert typed("export", "pets.store", "out").code == 0
    done = typed("export", "pets.store", "out")
    assert (done.code, done.err) == (2, "snaplink: out is there already: name a new directory\n")
    done = typed("export", "nothing.store", "out")
    assert done.code == 1
    assert "nothing.store is no store" in done.err
    done = typed("import", "pets.store", "again.store", "--model", "tiny")
    assert done.code == 2
    assert "pets.store is not what clip-retrieval writes" in done.err
    done = typed("import", "out", "again.store")
    assert done.code == 2
    assert "--model" in done.err
    for path in (tmp_path / "out" / "img_emb").iterdir():
        np.save(path, np.ones((3, 5), np.float16))
    for path in (tmp_path / "out" / "text_emb").iterdir():
        path.unlink()
    done = typed("import", "out", "again.store", "--model", "tiny")
    assert done.code == 2
    assert "vectors of 5 numbers, and tiny makes 128: another model made them" in done.err
    assert not (tmp_path / "again.store").exists()


def test_verify_and_repair(typed: Callable[..., Any], store: Path):
    done = typed("verify", "pets.store")
    assert (done.code, done.out, done.err) == (0, "pets.store\tok\n", "")
    vectors = min((store / "vectors").iterdir())
    vectors.unlink()
    done = typed("verify", "pets.store", "--json")
    assert done.code == 1
    assert json.loads(done.out) == [{"store": "pets.store", "state": "broken"}]
    assert vectors.name in done.err
    done = typed("verify", "pets.store", "--repair")
    assert (done.code, done.out) == (0, "pets.store\trepaired\n")
    assert vectors.exists()
    min((store / "shards").iterdir()).write_bytes(b"")
    done = typed("verify", "pets.store", "--repair")
    assert done.code == 0
    assert "3 rows to embed again" in done.err
    (store / "manifest.json").write_text("{", encoding="utf-8")
    done = typed("verify", "pets.store")
    assert (done.code, done.out) == (1, "pets.store\tbroken\n")
    assert "is damaged" in done.err
