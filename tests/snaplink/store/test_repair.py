"""A damaged store becomes one that can be used, and says what it lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from snaplink.errors import StoreError
from snaplink.store import Store, Writer
from snaplink.store.repair import faults, repair

Writers = Callable[..., Writer]
Rows = Callable[..., pa.Table]
Versions = Callable[[Store], dict[str, int]]


@pytest.fixture
def written(path: Path, writer: Writers, rows: Rows) -> Path:
    """A store of two shards, "a" "b" "c" and "d"."""
    with writer(rows_per_shard=3) as store:
        store.append(rows(["a", "b", "c", "d"]))
        store.fail("x", "bad")
    return path


def first(folder: Path) -> Path:
    return min(folder.iterdir())


def test_a_sound_store_stays_as_it_is(written: Path, versions: Versions):
    before = {file: file.read_bytes() for file in written.rglob("*.*") if file.is_file()}
    done = repair(written)
    assert (done.faults, done.rows_lost) == ([], 0)
    assert {file: file.read_bytes() for file in written.rglob("*.*") if file.is_file()} == before


def test_a_damaged_shard_is_set_aside_and_its_rows_can_be_made_again(
    written: Path, writer: Writers, rows: Rows, versions: Versions
):
    snapshot = Store.open(written).snapshot
    shard = first(written / "shards")
    shard.write_bytes(b"PAR1" + shard.read_bytes()[4:-9])
    with pytest.raises(StoreError, match=f"snaplink verify {written} --repair"):
        Store.open(written)
    done = repair(written)
    assert done.rows_lost == 3
    assert str(shard) in done.faults[0]
    assert (written / "damaged" / shard.name).exists()
    assert versions(Store.open(written)) == {"d": 0}
    assert Store.open(written).snapshot != snapshot
    with writer() as store:
        assert list(store.known()) == ["d"]
        store.append(rows(["a", "b", "c"]))
    assert versions(Store.open(written)) == {"a": 0, "b": 0, "c": 0, "d": 0}


def test_a_missing_shard(written: Path, versions: Versions):
    first(written / "shards").unlink()
    assert repair(written).rows_lost == 3
    assert versions(Store.open(written)) == {"d": 0}


def test_changed_bytes(written: Path, versions: Versions):
    shard = first(written / "shards")
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 1
    shard.write_bytes(data)
    assert repair(written).rows_lost == 3
    assert versions(Store.open(written)) == {"d": 0}


def test_derived_files_are_made_anew(written: Path, versions: Versions):
    vectors = first(written / "vectors")
    matrix = np.load(vectors)
    np.save(vectors, matrix * 2)
    (written / "failures.parquet").write_bytes(b"nothing")
    manifest = Store.open(written).manifest
    assert len(faults(written, manifest)) == 2
    done = repair(written)
    assert (len(done.faults), done.rows_lost) == (2, 0)
    np.testing.assert_array_equal(np.load(vectors), matrix)
    assert faults(written, manifest) == []
    assert versions(Store.open(written)) == {"a": 0, "b": 0, "c": 0, "d": 0}
    assert Store.open(written).failures() == {}


def test_a_change_outside_the_sampled_rows_is_found(path: Path, writer: Writers, rows: Rows):
    with writer() as store:
        store.append(rows([f"{number:03}" for number in range(100)]))
    vectors = first(path / "vectors")
    matrix = np.load(vectors)
    matrix[1] = matrix[0]  # of 100 rows, 0, 3, 6 … are sampled
    np.save(vectors, matrix)
    assert len(Store.open(path).verify()) == 1
    assert len(repair(path).faults) == 1
    assert Store.open(path).verify() == []


def test_a_store_that_is_written_to_is_not_repaired(written: Path, writer: Writers):
    with writer(), pytest.raises(StoreError, match="is being written by"):
        repair(written)
    with pytest.raises(StoreError, match="is no store"):
        repair(written / "shards")
