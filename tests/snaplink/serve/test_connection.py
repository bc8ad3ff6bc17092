"""Work for an answer ends with its client, and with the time limit, whatever it waits for."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request

from snaplink.fake_encoder import FakeEncoder
from snaplink.serve import urls
from snaplink.serve.app import create_app
from snaplink.serve.connection import ClientGone, while_connected
from snaplink.serve.errors import TimedOut
from snaplink.serve.settings import Settings

from .conftest import wait_until_ready
from .stores import DIM, add, unit

GIF = b"GIF89a\1\0\1\0\x80\0\0"


def waited(work, *, goes_after: float = 60, limit: float = 60):
    """What comes of the work for a client who goes after so many seconds."""

    async def receive():
        await asyncio.sleep(goes_after)
        return {"type": "http.disconnect"}

    app = create_app(Settings(time_limit=limit))
    request = Request({"type": "http", "app": app}, receive)
    return asyncio.run(while_connected(request, work))


def test_the_answer_of_who_stays():
    assert waited(asyncio.sleep(0.01, "done")) == "done"


@pytest.mark.parametrize(
    ("client", "error"),
    [({"goes_after": 0.05}, ClientGone), ({"limit": 0.05}, TimedOut)],
)
def test_what_nobody_waits_for_is_cancelled(client, error):
    ended = []

    async def endless() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with pytest.raises(error):
        waited(endless(), **client)
    assert ended == ["cancelled"]


def test_pictures_of_slow_servers_end_with_the_time_limit(tmp_path, monkeypatch):
    """Each may take its time, and a request may name hundreds."""

    async def slow(url, *, limit, name):
        await asyncio.sleep(0.4)
        return GIF

    monkeypatch.setattr(urls, "fetch", slow)
    add(tmp_path / "s.store", unit(3))
    encoder = FakeEncoder(dim=DIM)
    settings = Settings(store=tmp_path / "s.store", fetch_urls=True, workers=1, time_limit=1)
    link = "http://a.example/a.gif"
    bodies = {
        "/v1/embeddings": {"input": [{"type": "image_url", "image_url": {"url": link}}] * 9},
        "/v1/classify": {"pictures": [link] * 9, "labels": ["a", "b"]},
        "/v1/search": {"query": [{"image": link}] * 9},
    }
    with TestClient(
        create_app(settings, load=lambda: encoder), base_url="http://127.0.0.1:8000"
    ) as client:
        wait_until_ready(client)
        for path, body in bodies.items():
            begun = time.perf_counter()
            answer = client.post(path, json=body)
            assert answer.status_code == 504, answer.text
            assert time.perf_counter() - begun < 3


@pytest.mark.parametrize(
    ("path", "slow"),
    [
        ("/v1/store", "shelf.columns_of"),
        ("/v1/search", "standing.Standing.browse"),
        ("/v1/pictures/{}-0", "standing.Standing.row"),
    ],
)
def test_a_slow_store_ends_with_the_time_limit(tmp_path, monkeypatch, path, slow):
    free = threading.Event()
    monkeypatch.setattr(f"snaplink.serve.{slow}", lambda *_: free.wait(60))
    store = add(tmp_path / "s.store", unit(3))
    settings = Settings(store=tmp_path / "s.store", workers=1, time_limit=0.5)
    with TestClient(
        create_app(settings, load=lambda: FakeEncoder(dim=DIM)), base_url="http://127.0.0.1:8000"
    ) as client:
        wait_until_ready(client)
        answer = client.get(path.format(store.snapshot))
        free.set()
    assert answer.status_code == 504, answer.text
    assert "was not ready within 0.5 s" in answer.json()["error"]["message"]
