"""Both clients behind one interface that waits, before servers that are made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from snaplink import AsyncClient, Client

Handler = Callable[[httpx.Request], httpx.Response]


class Awaited:
    """An AsyncClient, each of whose calls is waited for."""

    def __init__(self, client: AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def __repr__(self) -> str:
        return repr(self._client)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: object, **options: object) -> Any:
            coming = getattr(self._client, name)(*arguments, **options)
            if name == "pages":
                coming = _listed(coming)
            return self._loop.run_until_complete(coming)

        return call


async def _listed(pages: Any) -> list[Any]:
    return [page async for page in pages]


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Make a client, of both kinds in turn; takes what `Client` takes."""
    loop = asyncio.new_event_loop()
    made: list[Any] = []

    def make(*arguments: Any, **options: Any) -> Any:
        if request.param == "sync":
            made.append(Client(*arguments, **options))
        else:
            made.append(Awaited(AsyncClient(*arguments, **options), loop))
        return made[-1]

    yield make
    for client in made:
        client.close()
    loop.close()


@pytest.fixture
def client_of(connect: Callable[..., Any]) -> Callable[..., Any]:
    """Make a client of a function that answers its requests."""

    def make(handler: Handler, **options: Any) -> Any:
        return connect(transport=httpx.MockTransport(handler), **options)

    return make


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited between two requests; nobody waits."""
    kept: list[float] = []

    async def pause(seconds: float) -> None:
        kept.append(seconds)

    monkeypatch.delenv("SNAPLINK_TOKEN", raising=False)
    monkeypatch.setattr("time.sleep", kept.append)
    monkeypatch.setattr("asyncio.sleep", pause)
    return kept
