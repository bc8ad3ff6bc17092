"""Reading, by us and by others."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from glob import glob
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snaplink.errors import StoreError
from snaplink.fingerprint import Fingerprint
from snaplink.store import Store, Writer

KEYS = [f"{number:02}" for number in range(30)]


@pytest.fixture
def store(path: Path, fingerprint: Fingerprint, rows: Callable[..., pa.Table]) -> Store:
    """Of several shards, of which the later ones have a column more, and one row changed."""
    with Writer(path, fingerprint, dim=4, rows_per_shard=8) as writer:
        writer.append(rows(KEYS[:20], caption=[f"a photo of {key}" for key in KEYS[:20]]))
        writer.append(rows(KEYS[20:], year=list(range(2000, 2010))))
    return Store.open(path)


@pytest.fixture
def matrix(vector: Callable[..., np.ndarray]) -> np.ndarray:
    return np.stack([vector(key) for key in KEYS]).astype(np.float16)


def test_tables_and_vectors_number_rows_alike(
    store: Store, matrix: np.ndarray, monkeypatch: pytest.MonkeyPatch
):
    positions = [29, 0, 7, 8, 8, 15, 21]
    taken = store.take(positions, ["key", "year", "image_embedding"])
    assert taken["key"].to_pylist() == [KEYS[position] for position in positions]
    assert taken["year"].to_pylist() == [2009, *[None] * 5, 2001]
    assert np.array(taken["image_embedding"].to_pylist(), np.float16).tolist() == (
        matrix[positions].tolist()
    )
    np.testing.assert_array_equal(store.vectors().take(positions), matrix[positions])
    np.testing.assert_array_equal(store.to_numpy(), matrix)
    assert store.take([]).num_rows == 0
    assert store.take(np.array([3]))["key"].to_pylist() == ["03"]


def test_take_reads_only_row_groups_that_hold_the_rows(
    path: Path,
    fingerprint: Fingerprint,
    rows: Callable[..., pa.Table],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("snaplink.store.shards.ROWS_PER_GROUP", 4)
    with Writer(path, fingerprint, dim=4) as writer:
        writer.append(rows(KEYS))
    store = Store.open(path)
    assert store._parquet(0).metadata.num_row_groups == 8
    positions = [29, 0, 5, 4, 5, 13]
    taken = store.take(positions, ["key"])["key"].to_pylist()
    assert taken == [KEYS[position] for position in positions]


def test_blocks_are_mapped_and_may_be_written_in_memory_only(store: Store, matrix: np.ndarray):
    starts = []
    for start, block in store.vectors().blocks():
        starts.append(start)
        assert isinstance(block, np.memmap)
        block[:] = 0
    assert starts == [0, 8, 16, 20, 28]
    np.testing.assert_array_equal(Store.open(store.path).to_numpy(), matrix)
    assert store.vectors().missing == 0


def test_an_empty_store(path: Path, fingerprint: Fingerprint):
    Writer(path, fingerprint, dim=4, modalities=("image", "text")).close()
    store = Store.open(path)
    assert len(store) == 0
    assert store.to_numpy("text").shape == (0, 4)
    assert store.vectors().take([]).shape == (0, 4)
    assert store.table().num_rows == store.take([]).num_rows == 0
    assert store.verify() == []
    assert store.dataset().count_rows() == 0


def test_check_says_what_differs(store: Store, fingerprint: Fingerprint):
    store.check(fingerprint)
    other = replace(fingerprint, precision="bf16")
    store.check(other, query=True)
    with pytest.raises(StoreError, match="precision fp32, not bf16"):
        store.check(other)
    with pytest.raises(StoreError, match=r"weights abababababab \(fake\), not cdcd"):
        store.check(replace(fingerprint, weights_sha256="cd" * 32), query=True)


def test_pyarrow_reads_all_of_it(store: Store, matrix: np.ndarray):
    dataset = store.dataset()
    found = dataset.to_table(filter=pa.compute.field("year") > 2007)
    assert found["key"].to_pylist() == ["28", "29"]
    everything = dataset.to_table()
    assert everything["key"].to_pylist() == KEYS
    assert everything.schema.names[-2:] == ["year", "image_embedding"]


def test_others_read_it_without_us(store: Store, matrix: np.ndarray):
    shards = str(store.path / "shards" / "*.parquet")
    query = f"select key, year, image_embedding from read_parquet('{shards}', union_by_name=true)"
    by_duckdb = duckdb.sql(query).fetchnumpy()
    lazily = [pl.scan_parquet(shard) for shard in sorted(glob(shards))]  # noqa: PTH207
    by_polars = pl.concat(lazily, how="diagonal_relaxed").collect()
    by_pandas = pd.read_parquet(store.path / "shards")  # the columns of the first shard
    for keys in (by_duckdb["key"].tolist(), by_polars["key"].to_list(), list(by_pandas["key"])):
        assert keys == KEYS
    by_all = (by_duckdb["image_embedding"], by_polars["image_embedding"].to_numpy())
    for vectors in (*by_all, by_pandas["image_embedding"]):
        np.testing.assert_array_equal(np.stack(list(vectors)).astype(np.float16), matrix)


def test_shards_say_what_made_them(store: Store, fingerprint: Fingerprint):
    shard = next((store.path / "shards").glob("*.parquet"))
    noted = json.loads(pq.read_schema(shard).metadata[b"snaplink"])
    assert Fingerprint.from_json(noted["fingerprint"]) == fingerprint


def test_without_pyarrow_one_line_tells_what_to_install(monkeypatch: pytest.MonkeyPatch):
    from snaplink.errors import MissingPackageError

    for name in [name for name in sys.modules if name.startswith("snaplink.store")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r'pip install "snaplink\[embed\]"'):
        import snaplink.store  # noqa: F401


def test_failures_of_errors_survive_pickling():
    error = pickle.loads(pickle.dumps(StoreError("here is the problem")))
    assert str(error) == "here is the problem"
