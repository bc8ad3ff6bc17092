"""Requests' heads, and what follows bodies: neither endless nor forever on their way.

uvicorn does not look after either, and keeps all of it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["HeadsProtocol"]

_BYTES = 1 << 17
"""Of a request line and its headers, of what stands between two pieces of a body, and of trailers;
`security` refuses less already, with an answer."""
_SECONDS = 20.0
"""For a head to arrive, once the connection is there or the head has begun, and for the rest of a
request that has been answered."""


class HeadsProtocol(HttpToolsProtocol):
    """uvicorn's protocol; closes connections where what is no body takes too long or grows too
    large."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bare = 0  # bytes since a request began, or since the last piece of its body
        self._is_arriving = False
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_longer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._bare += len(data)
        super().data_received(data)
        if self._bare > _BYTES:
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._bare, self._is_arriving = 0, True
        self._wait()

    def on_headers_complete(self) -> None:
        self._wait_no_longer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._bare = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_arriving = False
        self._wait_no_longer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_arriving and self._late is None:
            self._wait()

    def _wait(self) -> None:
        self._wait_no_longer()
        self._late = self.loop.call_later(_SECONDS, self.transport.close)

    def _wait_no_longer(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
