"""Clients that go away before their answer is there."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

__all__ = ["ClientGone", "while_connected"]

Result = TypeVar("Result")


class ClientGone(Exception):  # noqa: N818  # nobody's mistake
    """There is nobody left to answer."""


async def while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Await the work, or cancel it when the client has gone.

    Args:
        request: its body has been read.
        work: what the answer needs.

    Raises:
        ClientGone: it was cancelled.
    """
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        for task in (working, gone):
            task.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
