"""Bodies within limits, and JSON that means one thing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from snaplink.serve.bodies import Bodies, json_of
from snaplink.serve.errors import ApiError
from snaplink.serve.refusals import Refusals

LIMIT = 100


async def echo(scope, receive, send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(body)(scope, receive, send)


class Sender:
    """A client whose body arrives in these chunks; after them, it waits or goes.

    Attributes:
        taken: how many were read.
        sent: the server's messages.
    """

    def __init__(self, *chunks: bytes, goes: bool = False, forever: bytes | None = None) -> None:
        self._chunks = chunks
        self._goes = goes
        self._forever = forever
        self.taken = 0
        self.sent: list[dict] = []

    async def receive(self):
        await asyncio.sleep(0)
        if self.taken < len(self._chunks):
            self.taken += 1
            more = self.taken < len(self._chunks) or self._goes or self._forever is not None
            return {
                "type": "http.request",
                "body": self._chunks[self.taken - 1],
                "more_body": more,
            }
        if self._forever is not None:
            self.taken += 1
            return {"type": "http.request", "body": self._forever, "more_body": True}
        if self._goes:
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()  # nothing more comes
        raise AssertionError

    async def send(self, message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


def ask(
    sender: Sender,
    headers: dict[str, str],
    app: Bodies | None = None,
    method="POST",
    path="/v1/embeddings",
) -> Sender:
    async def asked() -> None:
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        await Refusals(app or bodies())(scope, sender.receive, sender.send)

    asyncio.run(asyncio.wait_for(asked(), 20))
    return sender


def bodies(app: Callable = echo, *, together: int = 1000, seconds: float = 5) -> Bodies:
    return Bodies(app, limit=LIMIT, together=together, seconds=seconds)


def test_a_body_comes_in_one_piece():
    done = ask(Sender(b"one ", b"", b"two"), {"content-length": "7"})
    assert (done.status, done.body) == (200, b"one two")


def test_a_body_of_unknown_length():
    done = ask(Sender(b"a" * 60, b"b" * 40), {"transfer-encoding": "chunked"})
    assert (done.status, len(done.body)) == (200, LIMIT)


def test_no_body_is_not_waited_for():
    assert ask(Sender(), {"content-length": "0"}, bodies(PlainTextResponse("ok"))).status == 200
    assert ask(Sender(), {}, bodies(PlainTextResponse("ok")), method="GET").status == 200


def test_what_is_declared_too_large_is_refused_and_thrown_away():
    sender = ask(Sender(*[b"a" * 50] * 10), {"content-length": "500"})
    assert sender.status == 413
    assert sender.taken == 10  # so that its sender reads the answer
    assert b"100 bytes" in sender.body
    assert (b"connection", b"close") in sender.sent[0]["headers"]


def test_who_asks_first_whether_to_send_need_not():
    headers = {"content-length": "500", "expect": "100-continue"}
    sender = ask(Sender(b"a" * 500), headers)
    assert (sender.status, sender.taken) == (413, 0)


def test_more_than_the_limit_without_a_length_is_noticed_on_the_way():
    sender = ask(Sender(b"a" * 60, b"b" * 41), {"transfer-encoding": "chunked"})
    assert sender.status == 413


@pytest.mark.parametrize("path", ["/session", "/", "/healthz", "/static/v1/"])
def test_where_no_token_is_needed_bodies_are_small(path):
    """Or else strangers could fill the memory that there is for bodies."""
    large = Bodies(echo, limit=1 << 20, together=1 << 21, seconds=5)
    for headers in ({"content-length": "20000"}, {"transfer-encoding": "chunked"}):
        assert ask(Sender(bytes(20_000)), headers, large, path=path).status == 413
        assert ask(Sender(bytes(20_000)), headers, large).status == 200
        assert ask(Sender(bytes(1_000)), {"content-length": "1000"}, large, path=path).status == 200


def test_an_endless_body_ends(monkeypatch):
    monkeypatch.setattr("snaplink.serve.bodies._LINGER", 0.2)
    sender = ask(Sender(forever=b"a" * 10), {"transfer-encoding": "chunked"})
    assert sender.status == 413


def test_a_body_that_does_not_come():
    sender = ask(Sender(b"a", forever=None, goes=False), {"content-length": "1"})
    assert sender.status == 200

    class Stalled(Sender):
        async def receive(self):
            await asyncio.Event().wait()

    sender = ask(Stalled(), {"content-length": "5"}, bodies(seconds=0.1))
    assert sender.status == 408
    assert (b"connection", b"close") in sender.sent[0]["headers"]


def test_a_sender_who_goes_away_gets_no_answer():
    sender = ask(Sender(b"a", goes=True), {"content-length": "5"})
    assert sender.status is None


def test_so_much_is_held_and_is_let_go_again():
    """Also after refusals, and when the application fails."""

    async def failing(scope, receive, send) -> None:
        raise ApiError(400, "no")

    app = bodies(failing, together=150)
    for _ in range(5):
        assert ask(Sender(b"a" * 100), {"content-length": "100"}, app).status == 400
        over = ask(Sender(b"a" * 60, b"b" * 60), {"transfer-encoding": "chunked"}, app)
        assert over.status == 413
        assert ask(Sender(b"a", goes=True), {"content-length": "5"}, app).status is None

    inner = []

    async def asks_again(scope, receive, send) -> None:
        if not inner:
            inner.append(Sender(b"b" * 100))
            again = {**scope, "headers": [(b"content-length", b"100")]}
            await Refusals(app)(again, inner[0].receive, inner[0].send)
        await PlainTextResponse("ok")(scope, receive, send)

    app = bodies(asks_again, together=150)
    assert ask(Sender(b"a" * 100), {"content-length": "100"}, app).status == 200
    assert inner[0].status == 429  # while the first was held


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "line 1, column 1"),
        (b"{", "line 1, column 2"),
        (b'{"a": 1}\n,', "line 2, column 1"),
        (b'{"a": NaN}', "NaN"),
        (b"[1, -Infinity]", "-Infinity"),
        (b'{"input": "a", "input": "b"}', "'input' twice"),
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', "'b' twice"),
        (b'"\xff"', "UTF-8"),
        ('{"a": "\u00e9"}'.encode("utf-16"), "UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"1" * 10_000, "10,000 digits"),
    ],
)
def test_json_that_is_none_or_means_several_things(body, message):
    with pytest.raises(ApiError, match=message) as error:
        json_of(body)
    assert error.value.status == 400


@pytest.mark.parametrize(
    "body", [b"[" + b"[[],{}]," * 2_000_000 + b"1]", b"[" + b"1," * 9_000_000 + b"1]"]
)
def test_json_of_millions_of_parts_is_refused_at_once(body):
    begun = time.thread_time()  # without what other programs take
    with pytest.raises(ApiError, match="more parts") as error:
        json_of(body)
    assert error.value.status == 413
    assert time.thread_time() - begun < 1


def test_json_that_is_read():
    value = {"a": [1, -2.5e3, None, True, {"é": "☃"}], "b": 10**100}
    assert json_of(json.dumps(value).encode()) == value
    assert json_of(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_what_does_not_say_that_it_is_json_is_not_read(client, kind):
    headers = {"Content-Type": kind} if kind else {}
    answer = client.post("/v1/embeddings", content=b'{"input": "a"}', headers=headers)
    assert (answer.status_code, answer.headers["accept"]) == (415, "application/json")


def test_json_may_say_its_encoding(client):
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    answer = client.post("/v1/embeddings", content=b'{"input": "a"}', headers=headers)
    assert answer.status_code == 200


def test_bodies_in_chunks_reach_their_route(client):
    def chunks():
        yield b'{"input": '
        yield b'"a cat"}'

    headers = {"Content-Type": "application/json"}
    whole = client.post("/v1/embeddings", json={"input": "a cat"})
    assert client.post("/v1/embeddings", content=chunks(), headers=headers).text == whole.text
    answer = client.post("/v1/embeddings", content=b" " * 1_000_001, headers=headers)
    assert answer.status_code == 413


def test_a_key_that_is_there_twice_is_found_at_once_among_many():
    names = [f'"{number}": 0' for number in range(50_000)]
    begun = time.thread_time()
    with pytest.raises(ApiError, match="'49999' twice"):
        json_of(f"{{{','.join([*names, names[-1]])}}}".encode())
    assert time.thread_time() - begun < 2
