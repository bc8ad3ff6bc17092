"""Requests' heads: neither endless nor forever on their way, which uvicorn does not look after."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["HeadsProtocol"]

_BYTES = 1 << 17
"""Of a request line and its headers; `security` refuses less already, with an answer."""
_SECONDS = 20.0
"""For a head to arrive, once the connection is there or the head has begun."""


class HeadsProtocol(HttpToolsProtocol):
    """uvicorn's protocol; closes connections whose next head takes too long or grows too large."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head: int | None = 0  # bytes so far; None while a body arrives or nothing does
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > _BYTES:
                self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin()

    def on_headers_complete(self) -> None:
        self._end()
        super().on_headers_complete()

    def _begin(self) -> None:
        self._end()
        self._head = 0
        self._late = self.loop.call_later(_SECONDS, self.transport.close)

    def _end(self) -> None:
        self._head = None
        if self._late is not None:
            self._late.cancel()
            self._late = None
