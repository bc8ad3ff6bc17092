"""Near-duplicates: which groups there are, and which picture is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from snaplink import duplicates as library
from snaplink.duplicates import duplicates
from snaplink.fingerprint import Fingerprint
from snaplink.search import build_index
from snaplink.store import Store, Writer, embedding_column

MADE_BY = Fingerprint("fake", "ab" * 32, {}, {"size": 8, "upright": True}, "fp32", True)


@pytest.fixture
def stored(tmp_path):
    def make(matrix: Any, widths: list[int] | None = None, sizes: list[int] | None = None) -> Store:
        count = len(matrix)
        with Writer(tmp_path / "s.store", MADE_BY, dim=matrix.shape[1], dtype="float32") as writer:
            writer.append(
                pa.table(
                    {
                        "key": [f"{number:05}.png" for number in range(count)],
                        "source": [f"/{number:05}.png" for number in range(count)],
                        "width": widths or [10] * count,
                        "height": [10] * count,
                        "size": sizes or [1] * count,
                        "mtime_ns": [1] * count,
                        "image_embedding": embedding_column(matrix.astype(np.float32)),
                    }
                )
            )
        return Store.open(tmp_path / "s.store")

    return make


def at(*degrees: float) -> Any:
    """Vectors in a plane, whose cosines are those of the angles between them."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def names(groups) -> list[tuple[str, list[str]]]:
    return [(g.kept["key"][4], [row["key"][4] for row in g.others]) for g in groups]


def test_the_largest_is_kept_and_the_likest_comes_first(stored):
    store = stored(at(0, 1.5, 1, 90, 91), widths=[10, 10, 99, 10, 10], sizes=[1, 1, 1, 1, 5])
    groups = duplicates(store, threshold=0.999)
    assert names(groups) == [("2", ["1", "0"]), ("4", ["3"])]
    assert groups[0].scores == pytest.approx(np.cos(np.radians([0.5, 1])))
    assert all(score >= 0.999 for group in groups for score in group.scores)


def test_a_chain_of_small_steps_is_no_group(stored):
    """0, 10, 20, … degrees: each is like the next, the first is not like the last."""
    groups = duplicates(stored(at(*range(0, 100, 10))), threshold=np.cos(np.radians(11)))
    for group in groups:
        assert all(score >= np.cos(np.radians(11)) for score in group.scores)
    assert names(groups) == [("0", ["1"]), ("2", ["3"]), ("4", ["5"]), ("6", ["7"]), ("8", ["9"])]


def test_nothing_alike(stored):
    assert duplicates(stored(at(0, 45, 90)), threshold=0.99) == []
    assert duplicates(stored(at(0)), threshold=0.99) == []


def copies(groups: int, each: int) -> Any:
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.standard_normal((groups, 32)), each, axis=0)
    rows = rows + 0.001 * rng.standard_normal(rows.shape)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("indexed", ["no index", "a fresh index", "a damaged index"])
def test_a_large_store_gives_the_same_groups(stored, monkeypatch, indexed):
    """Also more copies of one picture than neighbours are looked at."""
    store = stored(copies(30, 20))
    exact = names(duplicates(store))
    assert [len(others) for _, others in exact] == [19] * 30
    if indexed != "no index":
        facts = build_index(store)
        if indexed == "a damaged index":
            (store.path / "index" / facts.file).write_bytes(b"")
    monkeypatch.setattr(library, "_COMPARED_EXACTLY", 0)
    monkeypatch.setattr(library, "_NEIGHBOURS", 8)
    monkeypatch.setattr(library, "_AT_ONCE", 100)
    groups = duplicates(store)
    assert sum(len(group.others) for group in groups) == pytest.approx(30 * 19, rel=0.05)
    assert all(score >= 0.95 for group in groups for score in group.scores)


@pytest.mark.parametrize("threshold", [-1, 0.2, 0.97])
def test_pairs_do_not_pile_up(stored, monkeypatch, threshold):
    rows = np.random.default_rng(0).standard_normal((60, 3))
    store = stored(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    expected = duplicates(store, threshold=threshold)
    assert expected
    sizes = []
    components = library._components

    def counted(pairs):
        sizes.append(len(pairs))
        return components(pairs)

    monkeypatch.setattr(library, "_AT_ONCE", 4)
    monkeypatch.setattr(library, "_PAIRS_AT_ONCE", 8)
    monkeypatch.setattr(library, "_components", counted)
    assert duplicates(store, threshold=threshold) == expected
    assert len(sizes) > 1
    assert max(sizes) <= 8 + 2 * 60 + 4 * 60


def test_progress_is_told_of_every_row(stored, monkeypatch):
    monkeypatch.setattr(library, "_AT_ONCE", 7)
    counts: list[int] = []
    duplicates(stored(copies(5, 4)), progress=counts.append)
    assert sum(counts) == 20
