"""Pages of a store as it stands: they join, they fit the conditions, and asking again is cheap."""

from __future__ import annotations

import numpy as np
import pytest

from snaplink.search import Searcher
from snaplink.serve import standing as room
from snaplink.serve.errors import ApiError
from snaplink.serve.standing import Standing, Wish
from snaplink.store import Store

from .stores import add, unit


def held(path, monkeypatch) -> list[Standing]:
    """The same state with its rows in memory, and read from disk."""
    in_memory = Standing(Store.open(path))
    monkeypatch.setattr(room, "_SMALL", 0)
    return [in_memory, Standing(Store.open(path))]


def refused(call, *arguments) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call(*arguments)
    return caught.value


def test_pages_join_without_doubles_or_gaps(tmp_path):
    standing = Standing(add(tmp_path / "s", unit(1500)))
    vector = unit(1, seed=1)[0].astype(np.float32)
    best = Searcher(standing).rank(vector, 1500)
    seen, scores, offset, more = [], [], 0, True
    while more:
        page = standing.ranked(vector, Wish(70, offset))
        assert page.total == 1500
        seen += page.positions
        scores += page.scores
        more, offset = page.more, offset + 70
    assert seen == best.positions.tolist()
    assert scores == pytest.approx(best.scores.tolist(), abs=1e-6)
    far = standing.ranked(vector, Wish(10, 10**9))
    assert (far.positions, far.more) == ([], False)


def test_pages_of_one_query_are_ranked_together(tmp_path, monkeypatch):
    standing = Standing(add(tmp_path / "s", unit(600)))
    ranked = []
    rank = Searcher.rank
    monkeypatch.setattr(
        Searcher, "rank", lambda *these, **named: ranked.append(these[2]) or rank(*these, **named)
    )
    for offset in (0, 50, 100, 150):
        standing.ranked(unit(1)[0], Wish(50, offset))
    assert ranked == [250]
    standing.ranked(unit(1)[0], Wish(50, 550))
    standing.ranked(unit(1)[0], Wish(50, 0))
    assert ranked == [250, 1000]
    standing.ranked(unit(1)[0], Wish(50, 0, where="width > 3"))
    standing.ranked(unit(1)[0], Wish(50, 0, dedupe=0.9))
    assert len(ranked) == 4


def test_what_an_index_answers_otherwise_when_asked_for_more_stays_where_it_was(
    tmp_path, monkeypatch
):
    standing = Standing(add(tmp_path / "s", unit(600)))
    rank = Searcher.rank

    def fickle(self, vector, top, **named):
        found = rank(self, vector, top, **named)
        order = slice(None) if top == 250 else slice(None, None, -1)
        return type(found)(found.positions[order], found.scores[order])

    monkeypatch.setattr(Searcher, "rank", fickle)
    pages = [standing.ranked(unit(1)[0], Wish(100, offset)) for offset in range(0, 600, 100)]
    seen = [position for page in pages for position in page.positions]
    assert sorted(seen) == list(range(600))


def test_conditions_thresholds_and_near_duplicates(tmp_path, monkeypatch):
    rows = unit(40)
    rows[20:] = rows[:20]
    add(tmp_path / "s", rows, n=list(range(40)), set=["a", "b"] * 20)
    for standing in held(tmp_path / "s", monkeypatch):
        vector = rows[3].astype(np.float32)
        page = standing.ranked(vector, Wish(50, where="set = 'b' and n < 30"))
        assert page.total == len(page.positions) == 15
        assert page.positions[:2] == [3, 23]
        assert all(row["set"] == "b" for row in page.rows)
        page = standing.ranked(vector, Wish(50, threshold=0.99))
        assert (page.positions, page.more) == ([3, 23], False)
        page = standing.ranked(vector, Wish(50, dedupe=0.95))
        assert len(page.positions) == 20
        assert page.positions[0] == 3
        assert standing.ranked(vector, Wish(50, where="n > 99")).positions == []
        page = standing.browse(Wish(3, 2, where="set = 'b'"))
        assert (page.positions, page.total, page.more, page.scores) == ([5, 7, 9], 20, True, None)
        assert standing.browse(Wish(3, 38)).positions == [38, 39]
        assert [row["n"] for row in standing.browse(Wish(2)).rows] == [0, 1]
        assert standing.browse(Wish(2, 10**9)).positions == []
        assert standing.row(7)["key"] == "00007.png"


def test_a_wrong_condition_is_told_with_the_columns(tmp_path):
    standing = Standing(add(tmp_path / "s", unit(3)))
    for call in (standing.browse, lambda wish: standing.ranked(unit(1)[0], wish)):
        error = refused(call, Wish(3, where="widht > 3"))
        assert (error.status, error.param, error.code) == (400, "where", "wrong_condition")
        assert "The columns are key, source, width" in error.message
        assert str(tmp_path) not in error.message
    assert "uses repeat" in refused(standing.browse, Wish(3, where="repeat(key, 9) = ''")).message


def test_rows_without_a_vector_are_not_ranked_and_cannot_be_asked_for(tmp_path):
    image = unit(6)
    image[4:] = np.nan
    text = unit(6, seed=1)
    text[:2] = np.nan
    standing = Standing(add(tmp_path / "s", image, text=text))
    page = standing.ranked(unit(1)[0], Wish(10))
    assert (sorted(page.positions), page.total) == ([0, 1, 2, 3], 4)
    page = standing.ranked(unit(1)[0], Wish(10, modality="text", where="key < '00004'"))
    assert (sorted(page.positions), page.total) == ([2, 3], 2)
    assert refused(standing.vector, 5, None).message.startswith("this row has no image vector")
    assert standing.vector(5, "text").shape == (16,)


def test_captions_alone_are_searched_by_themselves(tmp_path):
    standing = Standing(add(tmp_path / "s", text=unit(4)))
    assert standing.modality(None) == "text"
    assert len(standing.ranked(unit(1)[0], Wish(10)).positions) == 4
    error = refused(standing.modality, "image")
    assert (error.status, error.message) == (400, "the store has no image vectors, only text")


def test_a_store_without_rows(tmp_path):
    standing = Standing(add(tmp_path / "s", unit(0)))
    for page in (
        standing.browse(Wish(10)),
        standing.ranked(unit(1)[0], Wish(10, where="width > 1", dedupe=0.9, threshold=0.1)),
    ):
        assert (page.positions, page.rows, page.total, page.more) == ([], [], 0, False)
    assert not standing.indexed
