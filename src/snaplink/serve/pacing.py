"""Refusals wait if there are many: whoever is refused over and over takes little time of others."""

from __future__ import annotations

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Pacing"]

_A_SECOND = 30.0
"""Refusals that are answered in a second."""
_AT_ONCE = 60.0
"""So many may come together before any waits."""
_EARNED = 0.25
"""What an answer that is no refusal allows of them: a client with some bad pictures among many good
ones is never held up, however fast it is."""
_LONGEST = 1.0
"""Seconds that one may wait."""


class Pacing:
    """ASGI: holds answers of 4xx back where they are more than a second is to have.

    It does not ask whose they are: behind a proxy, all clients have one address.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._owed = 0.0
        self._seen = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def paced(message: Message) -> None:
            if message["type"] == "http.response.start":
                refused = 400 <= message["status"] < 500
                if (seconds := self._wait(refused)) > 0:
                    await asyncio.sleep(seconds)
            await send(message)

        await self._app(scope, receive, paced)

    def _wait(self, refused: bool) -> float:
        """Seconds until this answer may go."""
        now = time.monotonic()
        paid = (now - self._seen) * _A_SECOND + (0 if refused else _EARNED)
        self._seen = now
        self._owed = max(0.0, self._owed - paid)
        if not refused:
            return 0.0
        self._owed = min(self._owed + 1, _AT_ONCE + _LONGEST * _A_SECOND)
        return max(0.0, self._owed - _AT_ONCE) / _A_SECOND
