"""Without a store there is one of example pictures, soon, and it goes when the server does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from snaplink.serve import demo as room
from snaplink.serve.demo import Demo
from snaplink.serve.settings import Settings
from snaplink.serve.shelf import Shelf
from snaplink.serve.standing import Wish
from snaplink.store import Store

from .stores import Fake


class Slow(Fake):
    """Waits before each batch after the first until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.batches = 0

    async def pictures(self, contents, *, names=None):
        self.batches += 1
        if self.batches > 1:
            await self.free.wait()
        return await super().pictures(contents)


class Broken(Fake):
    async def pictures(self, contents, *, names=None):
        raise RuntimeError("the model is broken")


def test_all_pictures_with_what_they_show():
    async def main():
        demo = Demo(Fake())
        store = Store.open(await demo.start())
        rows = store.table().to_pylist()
        content = Path(rows[0]["source"]).read_bytes()
        await demo.close()
        return rows, content, demo.store.exists()

    rows, content, remains = asyncio.run(main())
    assert len(rows) == 396
    assert [row["set"] for row in rows[:12]] == ["examples"] * 12
    assert {"cat.png", "owl.png"} <= {row["key"] for row in rows[:12]}
    assert len({row["set"] for row in rows[12:32]}) >= 3
    assert all(row["caption"] and row["width"] >= 64 and row["size"] for row in rows)
    assert content.startswith(b"\x89PNG")
    assert not remains


def test_with_a_slow_model_it_begins_with_some_and_the_others_come(monkeypatch):
    monkeypatch.setattr(room, "_PATIENCE", 0.05)

    async def main():
        inference = Slow()
        shelf = Shelf(Settings(), inference)
        await shelf.start()
        try:
            _, page = await shelf.search([], Wish(50))
            facts = await shelf.facts()
            assert (facts["name"], facts["demo"]) == ("example pictures", True)
            content, kind = await shelf.picture(f"{shelf.standing.snapshot}-0", 64)
            assert (content[:4], kind) == (b"RIFF", "image/webp")
            assert 0 < page.total < 396
            inference.free.set()
            await shelf._demo._making
            await shelf.look_again()
            assert len(shelf.standing) == 396
        finally:
            await shelf.close()

    asyncio.run(main())


def test_it_can_be_ended_while_it_is_made(monkeypatch):
    monkeypatch.setattr(room, "_PATIENCE", 0.05)

    async def main():
        demo = Demo(Slow())
        store = await demo.start()
        await demo.close()
        return store.parent.exists()

    assert not asyncio.run(main())


def test_what_goes_wrong_is_not_hidden():
    async def main():
        demo = Demo(Broken())
        try:
            with pytest.raises(RuntimeError, match="the model is broken"):
                await demo.start()
        finally:
            await demo.close()

    asyncio.run(main())


def test_without_the_examples_the_drawings_are_enough(monkeypatch, tmp_path):
    monkeypatch.setattr(room, "_EXAMPLES", (tmp_path / "none",))

    async def main():
        demo = Demo(Fake())
        count = len(Store.open(await demo.start()))
        await demo.close()
        return count

    assert asyncio.run(main()) == 384
