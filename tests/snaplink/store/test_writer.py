"""What is written is there: once a key, as it was last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from snaplink.errors import StoreError
from snaplink.fingerprint import Fingerprint
from snaplink.store import Stamp, Store, Writer, embedding_column

Writers = Callable[..., Writer]
Rows = Callable[..., pa.Table]
Versions = Callable[[Store], dict[str, int]]


@pytest.fixture
def committing_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snaplink.store.writer._PAUSE", float("inf"))


def test_rows_come_back(path: Path, writer: Writers, rows: Rows, versions: Versions):
    with writer() as store:
        store.append(rows(["a", "b"], year=[1999, 2001]))
        store.append(rows(["c"], year=[2005]).to_batches()[0])
    read = Store.open(path)
    assert versions(read) == {"a": 0, "b": 0, "c": 0}
    assert read.table(["year"])["year"].to_pylist() == [1999, 2001, 2005]
    assert read.to_numpy().dtype == np.float16


def test_a_key_that_comes_again_replaces_its_row(
    path: Path, writer: Writers, rows: Rows, versions: Versions
):
    with writer() as store:
        store.append(rows(["a", "b", "c"]))
        store.append(rows(["b"], version=1))
    with writer() as store:
        store.append(rows(["c", "d"], version=2))
        assert len(store) == 4
    assert versions(Store.open(path)) == {"a": 0, "b": 1, "c": 2, "d": 2}


@pytest.mark.usefixtures("committing_only_when_asked")
def test_of_rows_that_wait_the_last_counts(
    path: Path, writer: Writers, rows: Rows, versions: Versions
):
    with writer() as store:
        store.append(rows(["first"]))
        store.append(rows(["a", "b", "a"], version=1))
        store.append(rows(["a"], version=2))
        store.delete(["b"])
        store.append(rows(["c"]))
        assert len(store) == 3
        assert store.known()["a"].size == 2
    assert versions(Store.open(path)) == {"first": 0, "a": 2, "c": 0}


def test_known_keys_and_their_stamps(writer: Writers, rows: Rows):
    with writer() as store:
        store.append(rows(["a", "b"], version=7, sha256=["cd" * 32, None]))
    with writer() as store:
        store.append(rows(["c"]))
        known = store.known()
        assert known["a"] == Stamp(7, 10**18 + 7, "cd" * 32)
        assert known["b"] == Stamp(7, 10**18 + 7, None)
        assert "x" not in known
        assert sorted(known) == ["a", "b", "c"]
        store.delete(["a", "x"])
        assert sorted(known) == ["b", "c"]
        assert "a" not in known
        assert len(known) == 2


def test_a_source_without_stamps_is_known_too(writer: Writers, vector: Callable[..., Any]):
    column = embedding_column(vector("a")[None])
    with writer() as store:
        store.append(pa.table({"key": ["a"], "image_embedding": column}))
        assert store.known()["a"] == Stamp()


def test_deleted_rows_are_gone(path: Path, writer: Writers, rows: Rows, versions: Versions):
    with writer(rows_per_shard=2) as store:
        store.append(rows(list("abcdef")))
        store.delete(["a", "b", "e"])
    assert versions(Store.open(path)) == {"c": 0, "d": 0, "f": 0}
    with writer() as store:
        store.delete(list("cdf"))
    assert versions(Store.open(path)) == {}


def test_a_failure_is_kept_until_the_key_succeeds(
    path: Path, writer: Writers, rows: Rows, versions: Versions
):
    with writer() as store:
        store.append(rows(["a", "b"]))
        store.fail("a", "truncated")
        store.fail("x", "no picture")
        store.fail("x", "an empty file")
    assert Store.open(path).failures() == {"a": "truncated", "x": "an empty file"}
    assert versions(Store.open(path)) == {"b": 0}
    with writer() as store:
        store.append(rows(["x"]))
        assert store.failures() == {"a": "truncated"}
    assert Store.open(path).failures() == {"a": "truncated"}
    with writer() as store:
        store.delete(["a"])
    assert Store.open(path).failures() == {}


def test_a_vector_that_is_not_finite_is_a_failure(
    path: Path, writer: Writers, vector: Callable[..., Any]
):
    matrix = np.stack([vector("a"), vector("b") * np.nan, vector("c")])
    with writer() as store:
        store.append(pa.table({"key": list("abc"), "image_embedding": embedding_column(matrix)}))
    assert Store.open(path).table(["key"])["key"].to_pylist() == ["a", "c"]
    assert "finite" in Store.open(path).failures()["b"]


def test_numbers_too_large_for_halves_are_a_failure(
    path: Path, fingerprint: Fingerprint, vector: Callable[..., Any]
):
    raw = replace(fingerprint, normalized=False)
    matrix = np.stack([vector("a") * 1e6, vector("b")])
    table = pa.table({"key": ["a", "b"], "image_embedding": embedding_column(matrix)})
    with Writer(path, raw, dim=4) as store:
        store.append(table)
    assert list(Store.open(path).failures()) == ["a"]
    with Writer(path.with_name("wider"), raw, dim=4, dtype="float32") as store:
        store.append(table)
    np.testing.assert_array_equal(Store.open(store.path).to_numpy(), matrix)


def test_rows_of_two_modalities_may_lack_one(
    path: Path, fingerprint: Fingerprint, vector: Callable[..., Any]
):
    matrix = np.stack([vector("a"), vector("b")])
    texts = embedding_column(matrix, missing=np.array([False, True]))
    table = pa.table(
        {"key": ["a", "b"], "image_embedding": embedding_column(matrix), "text_embedding": texts}
    )
    with Writer(path, fingerprint, dim=4, modalities=("text", "image")) as store:
        store.append(table)
        store.append(pa.table({"key": ["c"], "text_embedding": texts[:1]}))
        with pytest.raises(StoreError, match="'d' has no vector"):
            store.append(pa.table({"key": ["d"], "text_embedding": texts[1:]}))
    read = Store.open(path)
    assert read.modalities == ("image", "text")
    assert np.isnan(read.to_numpy("text")).all(axis=1).tolist() == [False, True, False]
    assert np.isnan(read.to_numpy("image")).all(axis=1).tolist() == [False, False, True]
    assert read.vectors("text").missing == read.vectors("image").missing == 1
    assert read.table(["text_embedding"])["text_embedding"].null_count == 0  # see docs/store.md
    assert read.verify() == []


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"name": ["a"]}, "'key'"),
        ({"key": [None]}, "no key"),
        ({"key": [""]}, "no key"),
        ({"key": ["a"]}, "no vector"),
        ({"key": ["a"], "image_embedding": [[1.0, 0.0]]}, "vectors of 4 numbers"),
        ({"key": ["a"], "image_embedding": [1.0]}, "vectors of 4 numbers"),
        ({"key": ["a"], "image_embedding": [[1, 0, 0, 0]]}, "float16 or float32"),
        ({"key": ["a"], "width": ["wide"], "image_embedding": None}, "'width'"),
        ({"key": ["a"], "image_embedding": [np.float32([3, 0, 0, 0])]}, "length 3"),
    ],
)
def test_what_cannot_be_a_row_is_refused_and_the_writer_lives_on(
    path: Path,
    writer: Writers,
    rows: Rows,
    versions: Versions,
    table: dict[str, Any],
    problem: str,
):
    if table.get("image_embedding", 0) is None:
        table = {**table, "image_embedding": rows(["a"])["image_embedding"]}
    with writer() as store:
        with pytest.raises(StoreError, match=problem):
            store.append(pa.table(table))
        store.append(rows(["b"]))
    assert versions(Store.open(path)) == {"b": 0}


def test_a_variable_list_of_the_right_length_is_a_vector(path: Path, writer: Writers):
    with writer() as store:
        store.append(pa.table({"key": ["a"], "image_embedding": [np.float32([0, 1, 0, 0])]}))
    assert Store.open(path).to_numpy().tolist() == [[0, 1, 0, 0]]


def test_shards_hold_as_many_rows_as_asked(
    path: Path, writer: Writers, rows: Rows, versions: Versions
):
    with writer(rows_per_shard=4) as store:
        store.append(rows([f"{n:02}" for n in range(10)]))
    read = Store.open(path)
    assert [shard.rows for shard in read.manifest.shards] == [4, 4, 2]
    assert list(versions(read)) == [f"{n:02}" for n in range(10)]


@pytest.mark.usefixtures("committing_only_when_asked")
def test_many_small_runs_leave_few_files_and_the_rows_in_their_order(
    path: Path, writer: Writers, rows: Rows, versions: Versions
):
    keys = [f"{n:03}" for n in range(60)]
    for key in keys:
        with writer(rows_per_shard=32) as store:
            store.append(rows([key]))
    read = Store.open(path)
    assert len(read.manifest.shards) < 35
    assert list(versions(read)) == keys
    with writer() as store:  # where rows are is still known
        store.append(rows(["000", "030", "059"], version=1))
    changed = versions(Store.open(path))
    assert len(changed) == 60
    assert [key for key, version in changed.items() if version] == ["000", "030", "059"]


@pytest.mark.usefixtures("committing_only_when_asked")
def test_compaction_is_no_change_of_the_rows(path: Path, writer: Writers, rows: Rows):
    with writer() as store:
        for number in range(17):
            snapshot = store.manifest.snapshot
            shards = len(store.manifest.shards)
            store.append(rows([f"{number:02}"]))
            store.flush()
            assert store.manifest.snapshot != snapshot
        assert len(store.manifest.shards) < shards
        snapshot = store.manifest.snapshot
        store.flush()
        store.fail("x", "bad")
        store.flush()
        assert store.manifest.snapshot == snapshot


@pytest.mark.usefixtures("committing_only_when_asked")
def test_rows_are_found_again_after_their_shards_were_merged(
    path: Path, writer: Writers, rows: Rows, versions: Versions
):
    keys = [f"{number:02}" for number in range(40)]
    with writer(rows_per_shard=64) as store:
        for key in keys:
            store.append(rows([key]))
            store.flush()
        assert len(store.manifest.shards) < 40
        for key in reversed(keys):
            store.append(rows([key], version=1))
            store.flush()
        store.delete(keys[::2])
    assert versions(Store.open(path)) == dict.fromkeys(reversed(keys[1::2]), 1)


def test_columns_that_come_later_are_null_before(path: Path, writer: Writers, rows: Rows):
    with writer() as store:
        store.append(rows(["a"]))
        store.append(rows(["b"], year=[2001]))
        store.append(rows(["c"], year=[2001.5], licence=["CC0"]))
    read = Store.open(path)
    assert read.table(["year", "licence"]).to_pylist() == [
        {"year": None, "licence": None},
        {"year": 2001.0, "licence": None},
        {"year": 2001.5, "licence": "CC0"},
    ]
    assert read.dataset().to_table(["year"])["year"].to_pylist() == [None, 2001.0, 2001.5]


def test_types_without_a_common_one_become_text(path: Path, writer: Writers, rows: Rows):
    with writer() as store:
        store.append(rows(["a"], year=[2001]))
        store.append(rows(["b"], year=["unknown"]))
    assert Store.open(path).table(["year"])["year"].to_pylist() == ["2001", "unknown"]
    assert Store.open(path).dataset().to_table(["year"])["year"].to_pylist() == ["2001", "unknown"]


def test_what_is_left_open_by_an_error_is_committed(
    path: Path, writer: Writers, rows: Rows, versions: Versions
):
    def interrupted() -> None:
        with writer() as store:
            store.append(rows(["a"]))
            store.append(rows(["b"]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert versions(Store.open(path)) == {"a": 0, "b": 0}


def test_a_store_made_otherwise_is_refused_with_what_differs(
    path: Path, writer: Writers, fingerprint: Fingerprint
):
    writer().close()
    others = [
        (replace(fingerprint, weights_sha256="cd" * 32), {}, "weights abababababab"),
        (replace(fingerprint, precision="bf16"), {}, "precision fp32, not bf16"),
        (replace(fingerprint, normalized=False), {}, "vectors of length 1, not raw"),
        (
            replace(fingerprint, preprocessing={**fingerprint.preprocessing, "upright": False}),
            {},
            "upright True, not False",
        ),
        (fingerprint, {"dtype": "float32"}, "dtype float16, not float32"),
        (fingerprint, {"modalities": ("image", "text")}, "modalities image, not image and text"),
        (fingerprint, {"dim": 5}, "dim 4, not 5"),
    ]
    for other, options, difference in others:
        with pytest.raises(StoreError, match=difference):
            Writer(path, other, **{"dim": 4, **options})
    renamed = replace(fingerprint, model="/another/path.pt")
    Writer(path, renamed, dim=4).close()


def test_vectors_can_be_left_out_and_brought_back(
    path: Path, writer: Writers, rows: Rows, versions: Versions
):
    def npy() -> int:
        return len(list(path.glob("vectors/*.npy")))

    with writer(vectors=False) as store:
        store.append(rows(["a", "b"]))
    assert npy() == 0
    assert versions(Store.open(path)) == {"a": 0, "b": 0}
    writer().close()
    assert npy() == 1
    assert versions(Store.open(path)) == {"a": 0, "b": 0}
    writer(vectors=False).close()
    assert npy() == 0
    assert versions(Store.open(path)) == {"a": 0, "b": 0}


def test_a_closed_writer_can_be_closed_again(writer: Writers):
    store = writer()
    store.close()
    store.close()
    writer().close()


@pytest.mark.parametrize("options", [{"dtype": "float64"}, {"modalities": ("sound",)}])
def test_impossible_options(writer: Writers, options: dict[str, Any]):
    with pytest.raises(StoreError):
        writer(**options)


@pytest.mark.usefixtures("committing_only_when_asked")
@pytest.mark.parametrize("seed", range(6))
def test_through_a_long_life_it_is_a_dictionary(
    path: Path,
    writer: Writers,
    rows: Rows,
    versions: Versions,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
):
    monkeypatch.setattr("snaplink.store.compaction._TOLERATED", 2)
    monkeypatch.setattr("snaplink.store.keys._RECENT", 7)
    random = Random(seed)
    twin: dict[str, int] = {}
    store = writer(rows_per_shard=64)
    for version in range(50):
        keys = random.sample([f"{number:02}" for number in range(30)], random.randint(1, 3))
        match random.choice(["append", "append", "flush", "delete", "reopen"]):
            case "append":
                store.append(rows(keys, version))
                twin |= dict.fromkeys(keys, version)
            case "flush":
                store.flush()
            case "delete":
                store.delete(keys)
                twin = {key: kept for key, kept in twin.items() if key not in keys}
            case "reopen":
                store.close()
                store = writer(rows_per_shard=64)
        assert {key: stamp.size for key, stamp in store.known().items()} == twin
    store.close()
    assert versions(Store.open(path)) == twin


def test_columns_are_spelt_as_the_store_first_had_them(path: Path, writer: Writers, rows: Rows):
    """DuckDB would find two columns in one, and Arrow nulls in the rows of the other spelling."""
    with writer() as store:
        store.append(rows(["a"], Photographer=["Ada"]))
        store.flush()
        store.append(rows(["b"], PHOTOGRAPHER=["Bob"]))
    with writer() as store:
        store.append(rows(["c"], photographer=["Cy"]))
        with pytest.raises(StoreError, match="'one' and 'One' are one in SQL"):
            store.append(rows(["d"], one=[1], One=[2]))
    read = Store.open(path)
    assert len(read.manifest.shards) > 1
    for table in (read.table(), read.dataset().to_table()):
        assert table["Photographer"].to_pylist() == ["Ada", "Bob", "Cy"]
        assert len({name.lower() for name in table.column_names}) == len(table.column_names)
