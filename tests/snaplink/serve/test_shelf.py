"""The served store: what is asked of it in parts, and how it changes while it is served."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from contextlib import suppress

import numpy as np
import pytest
import torch

from snaplink.errors import StoreError
from snaplink.fake_encoder import FakeEncoder
from snaplink.fingerprint import fingerprint
from snaplink.serve import shelf as room
from snaplink.serve.errors import ApiError, NotReady, Overloaded
from snaplink.serve.settings import Settings
from snaplink.serve.shelf import Part, Shelf
from snaplink.serve.standing import Standing, Wish
from snaplink.store import Writer

from .stores import DIM, Fake, add, opened, unit

WORDS = ["cat", "dog", "red car", "picture 5"]


def run(path, work, **settings):
    async def main():
        async with opened(path, **settings) as shelf:
            return await work(shelf)

    return asyncio.run(main())


def refused(path, *parts: Part) -> ApiError:
    async def work(shelf):
        with pytest.raises(ApiError) as caught:
            await shelf.search(parts, Wish(3))
        return caught.value

    return run(path, work)


@pytest.fixture
def words(tmp_path):
    """A store of which each row is a word's."""
    add(tmp_path / "s", Fake().of(*WORDS), caption=WORDS)
    return tmp_path / "s"


def test_words_pictures_and_rows_are_found_by_their_like(words):
    async def work(shelf):
        async def first(*parts: Part) -> str:
            _, page = await shelf.search(parts, Wish(4))
            return page.rows[0]["caption"]

        snapshot = shelf.standing.snapshot
        return [
            await first(Part(text="dog")),
            await first(Part(picture=b"12345")),
            await first(Part(id=f"{snapshot}-2")),
            await first(Part(text="dog"), Part(text="cat", weight=3)),
            await first(Part(id=f"{snapshot}-0"), Part(picture=b"12345", weight=-2)),
        ]

    assert run(words, work) == ["dog", "picture 5", "red car", "cat", "cat"]


def test_parts_are_added_each_times_its_weight(words):
    async def work(shelf):
        parts = [
            Part(id=f"{shelf.standing.snapshot}-0", weight=-0.5),
            Part(text="dog", weight=2.0),
            Part(picture=b"12345", weight=0.7),
        ]
        return (await shelf.search(parts, Wish(4)))[1]

    page = run(words, work)
    cat, dog, _, picture = rows = Fake().of(*WORDS).astype(np.float64)
    wanted = -0.5 * cat + 2 * dog + 0.7 * picture
    scores = rows @ wanted / np.linalg.norm(wanted)
    assert page.scores == pytest.approx(sorted(scores.tolist(), reverse=True), abs=2e-3)
    assert page.positions == np.argsort(-scores).tolist()


def test_parts_that_mean_nothing_together_are_refused(words):
    assert "cancel out" in refused(words, Part(text="a"), Part(text="a", weight=-1)).message
    for weight in (0, float("nan"), float("inf")):
        error = refused(words, Part(text="a", weight=weight, name="query[0]"))
        assert (error.status, error.param) == (400, "query[0]")


@pytest.mark.parametrize(
    "name",
    ["", "-", "1", "-1", "../../etc/passwd", "{}", "{}-", "{}-x", "{}-1.5", "{}--1", "{}-٣",
     "{}-99", "{}-" + "9" * 50, " {}-1", "{}/1", "%2e%2e-1"],
)  # fmt: skip
def test_ids_that_are_none(words, name):
    async def work(shelf):
        with pytest.raises(ApiError) as caught:
            shelf.located(name.format(shelf.standing.snapshot))
        return caught.value

    error = run(words, work)
    assert error.status in (404, 410)
    assert error.param == "id" or error.code == "store_changed"


def test_ids_and_pages_hold_while_rows_are_added_until_long_after(tmp_path):
    path = tmp_path / "s"
    add(path, unit(300), caption=[f"row {number}" for number in range(300)])

    async def work(shelf):
        vector_of = Part(id=f"{shelf.standing.snapshot}-7")
        first = shelf.standing.snapshot
        wanted = (await shelf.search([vector_of], Wish(300)))[1].positions
        seen = []
        for number in range(5):
            standing, page = await shelf.search([vector_of], Wish(60, 60 * number), first)
            assert standing.snapshot == first
            seen += page.positions
            if number < room._FORMER:
                add(path, unit(20, seed=number + 1), first=1000 + 20 * number, caption=["x"] * 20)
                await shelf.look_again()
                assert len(shelf.standing) == 320 + 20 * number
        assert seen == wanted
        assert shelf.located(f"{first}-7")[0].row(7)["caption"] == "row 7"
        add(path, unit(1, seed=99), first=5000, caption=["x"])
        await shelf.look_again()
        for call in (shelf.search([vector_of], Wish(3)), shelf.search([], Wish(3), first)):
            with pytest.raises(ApiError, match="the store has changed since") as caught:
                await call
            assert (caught.value.status, caught.value.code) == (410, "store_changed")

    run(path, work)


def changed(shelf, before: str) -> bool:
    return shelf.standing.snapshot != before


async def until(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(room, "_LOOKS", 0.02)
    monkeypatch.setattr(room, "_REST", 0.02)


def test_a_change_is_noticed_by_itself(tmp_path, quick):
    path = tmp_path / "s"
    store = add(path, unit(5))

    async def work(shelf):
        add(path, unit(5, seed=1), first=100)
        await until(lambda: len(shelf.standing) == 10)
        before = shelf.standing.snapshot
        with Writer(path, store.fingerprint, dim=DIM) as writer:
            writer.delete(["00000.png", "00001.png"])
        await until(lambda: len(shelf.standing) == 8)
        with pytest.raises(ApiError, match="has no such row"):
            shelf.located(f"{shelf.standing.snapshot}-8")
        assert shelf.located(f"{before}-0")[0].row(0)["key"] == "00000.png"

    run(path, work)


def test_a_store_that_goes_is_served_as_it_was_until_another_comes(tmp_path, quick, caplog):
    path = tmp_path / "s"
    add(path, unit(5))

    async def work(shelf):
        before = shelf.standing.snapshot
        shutil.rmtree(path)
        await until(lambda: "is served as it was" in caplog.text)
        assert len((await shelf.search([Part(text="a")], Wish(9, where="width > 3")))[1].rows) == 5
        path.mkdir()
        (path / "manifest.json").write_text("{", encoding="utf-8")
        await asyncio.sleep(0.1)
        assert not changed(shelf, before)
        shutil.rmtree(path)
        add(path, unit(7))
        await until(lambda: len(shelf.standing) == 7)
        assert len((await shelf.search([Part(text="a")], Wish(9)))[1].rows) == 7

    run(path, work)
    assert caplog.text.count("is served as it was") <= 3


def test_another_models_store_in_its_place_is_not_served(tmp_path, quick, caplog):
    path = tmp_path / "s"
    add(path, unit(5))

    async def work(shelf):
        shutil.rmtree(path)
        other = fingerprint(FakeEncoder(dim=8), upright=True, normalized=True, bulk=False)
        Writer(path, other, dim=8).close()
        await until(lambda: "was made with another model" in caplog.text)
        assert len(shelf.standing) == 5

    run(path, work)


def test_another_models_store_is_not_opened(tmp_path):
    other = fingerprint(FakeEncoder(dim=8), upright=True, normalized=True, bulk=False)
    Writer(tmp_path / "s", other, dim=8).close()
    with pytest.raises(StoreError, match="was made with another model"):
        run(tmp_path / "s", lambda shelf: None)


def test_nothing_is_answered_before_the_store_is_open(tmp_path):
    async def main():
        shelf = Shelf(Settings(store=tmp_path / "s"), Fake())
        try:
            with pytest.raises(NotReady):
                await shelf.search([], Wish(3))
        finally:
            await shelf.close()

    asyncio.run(main())


def test_what_the_store_is(tmp_path):
    add(tmp_path / "photos.store", unit(5), text=unit(5), set=["a"] * 5)

    async def work(shelf):
        facts = await shelf.facts()
        assert await shelf.facts() == facts
        return facts

    facts = run(tmp_path / "photos.store", work)
    assert (facts["name"], facts["rows"], facts["dim"]) == ("photos.store", 5, DIM)
    assert facts["modalities"] == ["image", "text"]
    assert (facts["demo"], facts["indexed"]) == (False, False)
    assert [column["name"] for column in facts["columns"]] == [
        "key", "width", "height", "caption", "set",
    ]  # fmt: skip


def test_searches_take_one_core_and_leave_the_others_to_the_model(tmp_path, monkeypatch):
    add(tmp_path / "s", unit(5))
    before = torch.get_num_threads()
    monkeypatch.setattr(Standing, "browse", lambda self, wish: torch.get_num_threads())

    async def work(shelf):
        many = [shelf.search([], Wish(3)) for _ in range(20)]
        found = [cores for _, cores in await asyncio.gather(*many)]
        return found, torch.get_num_threads(), await asyncio.to_thread(torch.get_num_threads)

    try:
        torch.set_num_threads(3)
        found, here, elsewhere = run(tmp_path / "s", work)
    finally:
        torch.set_num_threads(before)
    assert set(found) == {1}
    assert (here, elsewhere) == (3, 3)


def test_no_more_searches_wait_than_may_and_those_given_up_make_room(tmp_path, monkeypatch):
    add(tmp_path / "s", unit(5))
    monkeypatch.setattr(room, "_WAITING", 3)
    free = threading.Event()
    monkeypatch.setattr(Standing, "browse", lambda self, wish: free.wait(60))

    async def work(shelf):
        many = [asyncio.wait_for(shelf.search([], Wish(3)), 0.1) for _ in range(5)]
        found = await asyncio.gather(*many, return_exceptions=True)
        kinds = [type(each) for each in found]
        assert kinds.count(Overloaded) == 2
        assert kinds.count(asyncio.TimeoutError) == 3
        with pytest.raises(Overloaded):  # their threads still run
            await shelf.search([], Wish(3))
        free.set()
        end = time.monotonic() + 60
        while True:  # until the places are free again
            with suppress(Overloaded):
                return (await shelf.search([], Wish(3)))[1]
            assert time.monotonic() < end
            await asyncio.sleep(0.01)

    assert run(tmp_path / "s", work)
