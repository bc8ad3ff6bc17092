"""uvicorn, with the application: it ends when it is told to, or when the model does not load."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn

from .app import create_app
from .settings import Settings

__all__ = ["Served", "run"]

_log = logging.getLogger("snaplink.serve")

_KEEP_ALIVE = 75
"""Seconds for which an idle connection stays: longer than clients keep theirs, as nginx does."""
_TO_SEND = 5
"""Seconds beyond the time limit for the last answers to be sent."""
_SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGBREAK")  # the last is Windows' Ctrl-Break
    if hasattr(signal, name)
]


@dataclass(frozen=True)
class Served:
    """What a server that is ready serves.

    Attributes:
        model: its name.
        precision: what it computes in.
        store: the store's name; None for the example pictures.
        rows: of the store.
    """

    model: str
    precision: str
    store: str | None
    rows: int


def run(
    settings: Settings, sockets: list[socket.socket], on_ready: Callable[[Served], object]
) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight are answered, a second signal ends at once.

    Args:
        settings: what is served.
        sockets: where it listens.
        on_ready: called when the model is loaded and the store is open.

    Raises:
        SnaplinkError, clip.errors.ClipError, OSError: there is no model, or no store, to serve.
    """
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        http=_protocol(),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=math.ceil(settings.time_limit) + _TO_SEND,
    )
    _Server(config, app.state, on_ready).run(sockets)
    if app.state.readiness.error is not None:
        raise app.state.readiness.error


def _protocol() -> Any:
    try:
        from .heads import HeadsProtocol
    except ImportError:  # no httptools: h11 limits heads by itself
        return "h11"
    return HeadsProtocol


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, state: Any, on_ready: Callable[[Served], object]
    ) -> None:
        super().__init__(config)
        self._app = state
        self._on_ready = on_ready

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        watching = asyncio.create_task(self._watch())
        await super().serve(sockets)
        if not watching.done():
            # A thread is still loading: it cannot be stopped, and would be waited for.
            sys.stderr.flush()
            os._exit(0)
        await watching

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        _log.info("the server ends when all requests are answered")
        await super().shutdown(sockets)

    async def _watch(self) -> None:
        await self._app.readiness.settled()
        if self._app.readiness.error is not None:
            self.should_exit = True
        else:
            self._on_ready(_served(self._app))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """In the place of uvicorn's, which sends itself the signal again in the end."""
        before = {each: signal.signal(each, self._end) for each in _SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self.should_exit:
            with suppress(Exception):
                sys.stderr.flush()
            os._exit(128 + number)
        self.should_exit = True


def _served(state: Any) -> Served:
    inference, standing = state.inference, state.shelf.standing
    return Served(
        model=inference.name,
        precision=inference.precision,
        store=state.settings.store and standing.path.resolve().name,
        rows=len(standing),
    )
