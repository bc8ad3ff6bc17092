"""Bodies of requests: read whole within limits, then as JSON that means one thing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

import anyio
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .connection import ClientGone
from .errors import ApiError, Overloaded

__all__ = ["Bodies", "Route", "content_type", "json_of"]

_SMALL = 1 << 14
"""Bytes of a body for anything but the API: it needs no token, and with bodies of the largest size
strangers could take all the memory there is for them."""
_LINGER = 2.0
"""Seconds for which a body that is too large is read and thrown away, so that its sender, who
would else only see a broken connection, reads the answer."""
_CONTAINERS, _VALUES = 100_000, 1_000_000
"""Lists and objects, and values in them: millions of small ones keep a JSON parser for seconds."""
_DIGITS = 400
"""More than any number that a float holds needs."""


class Bodies:
    """ASGI: the body is read before the application is called, and counted meanwhile.

    Args:
        app: what is called with the body in one piece.
        limit: bytes of one body, for a path of the API.
        together: bytes of all bodies that are held at once.
        seconds: for reading a body.
    """

    def __init__(self, app: ASGIApp, *, limit: int, together: int, seconds: float) -> None:
        self._app = app
        self._limit = limit
        self._together = together
        self._seconds = seconds
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = _declared_length(scope) if scope["type"] == "http" else 0
        if declared == 0:
            await self._app(scope, receive, send)
            return
        limit = self._limit if scope["path"].startswith("/v1/") else min(_SMALL, self._limit)
        if declared is not None and declared > limit:
            await _refuse(receive, limit, discard=not _waits_for_consent(scope))
        body = await self._read_in_time(receive, limit)
        try:
            await self._app(scope, _replaying(body, receive), send)
        finally:
            self._held -= len(body)

    async def _read_in_time(self, receive: Receive, limit: int) -> bytes:
        chunks: list[bytes] = []
        try:
            with anyio.fail_after(self._seconds):
                await self._read(receive, limit, chunks)
        except BaseException as error:
            self._held -= sum(map(len, chunks))
            if not isinstance(error, TimeoutError):
                raise
            late = f"the request's body was not here within {self._seconds:g} s"
            raise ApiError(408, late, headers={"Connection": "close"}) from None
        return b"".join(chunks)

    async def _read(self, receive: Receive, limit: int, chunks: list[bytes]) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            if size > limit:
                await _refuse(receive, limit, discard=more)
            if self._held + len(chunk) > self._together:
                raise Overloaded
            chunks.append(chunk)
            self._held += len(chunk)


async def _refuse(receive: Receive, limit: int, *, discard: bool) -> NoReturn:
    with anyio.move_on_after(_LINGER):
        while discard:
            message = await receive()
            discard = message["type"] == "http.request" and message.get("more_body", False)
    large = f"the request's body has more than the {limit:,} bytes that are accepted"
    raise ApiError(413, large, headers={"Connection": "close"})


def _declared_length(scope: Scope) -> int | None:
    """The body's length as its sender says it; None if that is not said, but a body will come."""
    declared: int | None = 0
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            declared = int(value) if value.isdigit() and len(value) < 20 else None
    return declared


def _waits_for_consent(scope: Scope) -> bool:
    return any(name == b"expect" for name, _ in scope["headers"])


def _replaying(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once, and then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


class _JsonRequest(Request):
    """A request whose JSON was read by `json_of`."""

    def __init__(self, request: Request, raw: bytes) -> None:
        super().__init__(request.scope, request.receive)
        self._raw, self._read = raw, json_of(raw)

    async def body(self) -> bytes:
        return self._raw

    async def json(self) -> object:
        return self._read


class Route(APIRoute):
    """A route whose body, if it has one, is JSON as `json_of` reads it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def handle_json(request: Request) -> Response:
            kind = content_type(request)
            if kind != "application/json":
                raise ApiError(415, _not_json(kind), headers={"Accept": "application/json"})
            return await handle(_JsonRequest(request, await request.body()))

        return handle_json


def content_type(request: Request) -> str:
    """The body's type in small letters, without what comes after the semicolon."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _not_json(kind: str) -> str:
    came = f"it says {kind[:100]!r}" if kind else "it says nothing"
    return f"the body is to be JSON, and the header Content-Type application/json: {came}"


def json_of(body: bytes) -> object:
    """Read JSON.

    Raises:
        ApiError: it is none, or could mean several things: NaN, a key that is there twice.

    >>> json_of(b'{"input": ["a cat"]}')
    {'input': ['a cat']}
    """
    if body.count(b"[") + body.count(b"{") > _CONTAINERS or body.count(b",") > _VALUES:
        raise ApiError(413, "the body's JSON has more parts than any request needs: send less")
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_int=_whole_number,
        )
    except UnicodeDecodeError:
        raise ApiError(400, "the body is not UTF-8, which JSON is written in") from None
    except RecursionError:
        raise ApiError(400, "the body's JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ApiError(400, f"the body is no JSON: {error.msg} ({where})") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ApiError(400, f"the body has the key {twice[:100]!r} twice")
    return made


def _whole_number(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ApiError(400, f"the body has a number of {len(digits):,} digits")
    return int(digits)


def _no_number(name: str) -> NoReturn:
    raise ApiError(400, f"the body has {name}, which JSON does not know")
