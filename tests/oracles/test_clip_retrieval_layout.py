"""What we export, embedding-reader reads; what clip-retrieval's writer writes, we import."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from snaplink.fingerprint import Fingerprint
from snaplink.store import Store, Writer, embedding_column
from snaplink.store.clip_retrieval_export import export
from snaplink.store.clip_retrieval_import import Layout

KEYS = [f"/pictures/{number:03}.jpg" for number in range(120)]
FINGERPRINT = Fingerprint("fake", "ab" * 32, {}, {}, "fp32", True)


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    drawn = np.random.default_rng(0).standard_normal((len(KEYS), 16)).astype(np.float32)
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16)


def test_their_reader_reads_our_export(peer, tmp_path: Path, matrix: np.ndarray):
    with Writer(tmp_path / "store", FINGERPRINT, dim=16, rows_per_shard=50) as writer:
        columns = {"key": KEYS, "caption": [f"photo {key}" for key in KEYS]}
        writer.append(pa.table({**columns, "image_embedding": embedding_column(matrix)}))
    export(Store.open(tmp_path / "store"), tmp_path / "out", rows_per_file=11)
    outputs = peer(
        """
        import numpy as np
        from embedding_reader import EmbeddingReader
        reader = EmbeddingReader(
            embeddings_folder=inputs["out"] + "/img_emb", file_format="parquet_npy",
            metadata_folder=inputs["out"] + "/metadata", meta_columns=["image_path", "caption"],
        )
        batches = list(reader(batch_size=17, show_progress=False))
        outputs["embeddings"] = np.concatenate([embeddings for embeddings, _ in batches])
        outputs["paths"] = [path for _, table in batches for path in table["image_path"]]
        outputs["captions"] = [text for _, table in batches for text in table["caption"]]
        """,
        out=str(tmp_path / "out"),
    )
    assert outputs["paths"] == KEYS
    assert outputs["captions"] == columns["caption"]
    np.testing.assert_array_equal(outputs["embeddings"], matrix)


def test_we_read_what_their_writer_writes(peer, tmp_path: Path, matrix: np.ndarray):
    peer(
        """
        import json, runpy
        from importlib.metadata import files
        from pathlib import Path
        # The file alone: its package imports much that is not here.
        writer = next(f for f in files("clip-retrieval") if str(f).endswith("inference/writer.py"))
        NumpyWriter = runpy.run_path(str(writer.locate()))["NumpyWriter"]
        for partition in range(10):
            writer = NumpyWriter(partition, inputs["out"], True, True, True, 10)
            keys = inputs["keys"][partition::10]
            metadata = [{"key": key[-7:], "camera": {"make": "A"}} for key in keys]
            writer({
                "image_embs": inputs["matrix"][partition::10],
                "text_embs": inputs["matrix"][partition::10][:, ::-1],
                "image_filename": keys,
                "text": ["photo " + key for key in keys],
                "metadata": [json.dumps(values) for values in metadata],
            })
            writer.flush()
        """,
        out=str(tmp_path / "theirs"),
        keys=KEYS,
        matrix=matrix,
    )
    layout = Layout(tmp_path / "theirs")
    assert (layout.rows, layout.modalities) == (120, ("image", "text"))
    with Writer(tmp_path / "store", FINGERPRINT, dim=16, modalities=layout.modalities) as writer:
        layout.read_into(writer)
    store = Store.open(tmp_path / "store")
    table = store.table().to_pylist()
    order = [KEYS.index(row["key"]) for row in table]
    assert sorted(order) == list(range(120))
    np.testing.assert_allclose(store.to_numpy(), matrix[order], atol=1e-3)
    np.testing.assert_allclose(store.to_numpy("text"), matrix[order][:, ::-1], atol=1e-3)
    assert table[0]["caption"] == f"photo {KEYS[0]}"
    assert table[0]["original_key"] == "000.jpg"
    assert table[0]["camera.make"] == "A"
