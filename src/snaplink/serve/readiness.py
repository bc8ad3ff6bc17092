"""How far the server is: loading, ready, or about to end."""

from __future__ import annotations

import asyncio

from .errors import NotReady

__all__ = ["Readiness"]

_SECONDS_TO_LOAD = 2.0


class Readiness:
    """What `/readyz` says.

    Attributes:
        reason: why the server is not ready; empty if it is.
        error: what ended the loading, if something did.
    """

    def __init__(self) -> None:
        self.reason = "the model is being loaded"
        self.error: Exception | None = None
        self._settled = asyncio.Event()

    def become_ready(self) -> None:
        self.reason = ""
        self._settled.set()

    def fail(self, error: Exception) -> None:
        self.reason, self.error = f"the server cannot start: {error}", error
        self._settled.set()

    def stop(self) -> None:
        self.reason = "the server is about to end"

    async def settled(self) -> None:
        """Wait until the server is ready or has failed."""
        await self._settled.wait()

    def check(self) -> None:
        """Raise `NotReady` unless the server is ready."""
        if self.reason:
            raise NotReady(self.reason, _SECONDS_TO_LOAD)
