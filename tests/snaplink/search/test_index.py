"""The index: what it finds, when it is used, when it is refused."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest

from snaplink.errors import ArgumentError, StoreError
from snaplink.search import Searcher, build_index, open_index
from snaplink.store import Store


def files(store: Store) -> list[str]:
    return sorted(path.name for path in (store.path / "index").iterdir())


@pytest.fixture
def store(stored, drawn):
    return stored(drawn(600))


def test_it_finds_what_exact_search_finds_with_the_same_scores(store, drawn):
    facts = build_index(store)
    assert facts.rows == 600
    assert facts.recall["image"] >= 0.95  # not 0.99: threads build the graph, see below
    assert facts.queries == {"image": 60}
    indexed, exact = Searcher(store), Searcher(store, exact=True)
    assert indexed.index("image") is not None
    assert exact.index("image") is None
    found = 0
    for query in drawn(20, seed=3).astype(np.float32):
        query /= np.linalg.norm(query)
        one, other = indexed.rank(query, 10), exact.rank(query, 10)
        scores = dict(zip(other.positions.tolist(), other.scores.tolist(), strict=True))
        for position, score in zip(one.positions.tolist(), one.scores.tolist(), strict=True):
            if position in scores:
                found += 1
                assert score == pytest.approx(scores[position], abs=1e-6)
    assert found >= 0.95 * 200  # threads build the graph, a little differently each time


def test_the_rows_that_measured_recall_are_in_it(store):
    build_index(store)
    searcher = Searcher(store)
    vectors = store.vectors().take(range(600))
    found = [searcher.rank(row / np.linalg.norm(row), 1).positions[0] for row in vectors]
    assert np.mean(np.array(found) == range(600)) > 0.95  # a tenth was left out at first


def test_captions_are_asked_for_too(stored, drawn):
    text = drawn(300, seed=1)
    text[:100] = np.nan
    facts = build_index(stored(drawn(300), text))
    assert set(facts.recall) == {"image", "text"}
    assert facts.queries["text"] <= 30


def test_the_rows_that_are_allowed_are_found_through_it(store, drawn):
    build_index(store)
    searcher, exact = Searcher(store), Searcher(store, exact=True)
    query = store.vectors().take([5])[0]
    query /= np.linalg.norm(query)
    for share in (0.9, 0.3, 0.01):
        allowed = np.random.default_rng(0).random(600) < share
        found = searcher.rank(query, 5, allowed=allowed)
        assert allowed[found.positions].all()
        assert found.positions.tolist() == exact.rank(query, 5, allowed=allowed).positions.tolist()


def test_more_than_all_rows_may_be_asked_for(store):
    build_index(store)
    query = store.vectors().take([5])[0]
    assert len(Searcher(store).rank(query / np.linalg.norm(query), 5000)) == 600


def test_rows_without_vectors_are_left_out(stored, drawn):
    text = drawn(100)
    text[::2] = np.nan
    facts = build_index(stored(drawn(100), text), "text")
    assert facts.rows == 50


def test_a_stale_index_is_not_used_and_said_so(store, stored, drawn):
    build_index(store)
    changed = stored(drawn(1, seed=9), first=600)
    notes: list[str] = []
    searcher = Searcher(changed, on_note=notes.append)
    query = drawn(1, seed=9)[0].astype(np.float32)
    assert searcher.rank(query / np.linalg.norm(query), 1).positions.tolist() == [600]
    searcher.rank(query / np.linalg.norm(query), 1)
    [note] = notes
    assert "built for an earlier state" in note
    assert f"snaplink index {changed.path}" in note
    with pytest.raises(StoreError, match="earlier state"):
        open_index(changed, "image")
    build_index(changed)
    assert open_index(changed, "image") is not None
    assert len(files(changed)) == 2


def test_python_is_warned_of_a_stale_index(store, stored, drawn, encoder):
    build_index(store)
    changed = stored(drawn(1, seed=9), first=600)
    with pytest.warns(UserWarning, match="searched exactly, without the index"):
        changed.search("cat", encoder=encoder)


@pytest.mark.parametrize("damage", ["cut", "emptied", "gone", "changed", "foreign"])
def test_a_damaged_file_is_refused_and_search_goes_on(store, drawn, damage):
    facts = build_index(store)
    path = store.path / "index" / facts.file
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        broken = bytearray(content)
        broken[len(content) // 2] ^= 255
        path.write_bytes(
            {
                "cut": content[:-100],
                "emptied": b"",
                "changed": bytes(broken),
                "foreign": os.urandom(len(content)),
            }[damage]
        )
        os.utime(path, ns=(1, 1))
    with pytest.raises(StoreError, match=r"is damaged \(.+\): build it again with"):
        open_index(store, "image")
    notes: list[str] = []
    query = store.vectors().take([7])[0]
    found = Searcher(store, on_note=notes.append).rank(query / np.linalg.norm(query), 1)
    assert found.positions.tolist() == [7]
    assert len(notes) == 1


def test_a_copied_store_keeps_its_index(store, tmp_path):
    build_index(store)
    shutil.copytree(store.path, tmp_path / "copy", copy_function=shutil.copyfile)
    assert open_index(Store.open(tmp_path / "copy"), "image") is not None


@pytest.mark.parametrize(
    "description",
    ["", "[]", "{}", '{"format": 99}', "null", "\xff", '{"format": 1, "file": "x"}'],
)
def test_a_damaged_description_is_refused(store, description):
    build_index(store)
    (store.path / "index" / "image.json").write_text(description, encoding="latin-1")
    with pytest.raises(StoreError, match="is damaged"):
        open_index(store, "image")


def test_a_description_does_not_lead_out_of_the_store(store, tmp_path):
    build_index(store)
    path = store.path / "index" / "image.json"
    facts = json.loads(path.read_text())
    facts["file"] = "../../elsewhere.usearch"
    path.write_text(json.dumps(facts))
    with pytest.raises(StoreError, match="a file elsewhere"):
        open_index(store, "image")


def test_what_fails_leaves_the_older_index(store, monkeypatch):
    facts = build_index(store)
    monkeypatch.setattr("snaplink.search.index._sync", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build_index(store)
    assert files(store) == sorted([facts.file, "image.json"])
    assert open_index(store, "image") is not None


def test_a_store_without_vectors_has_nothing_to_index(stored, drawn):
    store = stored(drawn(3), np.full((3, 16), np.nan))
    with pytest.raises(ArgumentError, match="no text vectors to index"):
        build_index(store, "text")


def test_a_few_rows_are_indexed_without_a_measurement(stored, drawn):
    facts = build_index(stored(drawn(5)))
    assert (facts.rows, facts.recall) == (5, {})


def test_without_an_index_there_is_no_note(store):
    notes: list[str] = []
    assert Searcher(store, on_note=notes.append).index("image") is None
    assert notes == []
