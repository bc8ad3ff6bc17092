"""Answers that a page gets in the server's place."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from playwright.sync_api import Page, Route

__all__ = ["Instead"]


class Instead:
    """Answers some of a page's requests, until it has done so often enough.

    Its route stays when it does nothing more: while Playwright takes the last route away, Chromium
    may lose the requests that are on their way (one run in ten, where pictures were loading).

    Args:
        page: the page.
        path: the requests, as :meth:`Page.route` takes them.
        answer: what is done with each.
        times: how many, before the server gets them again.
    """

    def __init__(
        self,
        page: Page,
        path: str | re.Pattern[str],
        answer: Callable[[Route], None],
        times: float = math.inf,
    ) -> None:
        self._answer = answer
        self._left = times
        page.route(path, self._next)

    def stop(self) -> None:
        """Let the server answer what comes from now on."""
        self._left = 0

    def _next(self, route: Route) -> None:
        if self._left < 1:
            route.continue_()
            return
        self._left -= 1
        self._answer(route)
