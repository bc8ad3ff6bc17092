"""Answers that are not there in time: before the client goes away, and within the time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from .errors import TimedOut

__all__ = ["ClientGone", "while_connected"]

Result = TypeVar("Result")


class ClientGone(Exception):  # noqa: N818  # nobody's mistake
    """There is nobody left to answer."""


async def while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Await the work, or cancel it when the client has gone or the time limit has passed.

    Args:
        request: its body has been read.
        work: all that the answer needs.

    Raises:
        ClientGone, TimedOut: it was cancelled.
    """
    limit: float = request.app.state.settings.time_limit
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((working, gone), timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone if gone.done() else TimedOut(limit)
    finally:
        for task in (working, gone):
            task.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
