"""A request, asked until it is answered. Does no input and output itself: clients differ in that.

What a client does is written once, as a generator: it yields a `Request` to be sent or a `Pause`
to be kept, and is sent back what came of it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from .failures import failure
from .server import Server

__all__ = ["Outcome", "Pause", "Request", "Talk", "exchange"]

Answer = TypeVar("Answer")

Outcome = httpx.Response | httpx.HTTPError | None
"""What came of a step: an answer, none and why, or nothing, of a pause."""

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_LONGEST_ASKED_FOR = 60.0
_FEW = 2
"""Retries where nobody has ever answered: there is hardly a server, and its user wants to know."""

_COMES_BACK = {429, 502, 503}
"""Too much at once; a proxy whose server restarts; a server that is not ready yet or any more."""


@dataclass(frozen=True)
class Request:
    """What is sent; everything that this client asks for may be asked for twice.

    Attributes:
        method: GET or POST.
        path: below the server's address.
        body: becomes JSON.
        parameters: of the query.
        timeout: seconds, where the server's own are too many.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    parameters: Mapping[str, str | int] | None = None
    timeout: float | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """Of the method `request` of httpx's clients."""
        arguments: dict[str, Any] = {"method": self.method, "url": self.path}
        if self.body is not None:
            arguments["content"] = json.dumps(self.body).encode("ascii")
            arguments["headers"] = {"Content-Type": "application/json"}
        if self.parameters is not None:
            arguments["params"] = self.parameters
        if self.timeout is not None:
            arguments["timeout"] = self.timeout
        return arguments


@dataclass(frozen=True)
class Pause:
    """Seconds to wait."""

    seconds: float


Talk = Generator[Request | Pause, Outcome, Answer]


def exchange(server: Server, request: Request) -> Talk[httpx.Response]:
    """Ask, and ask again after a time, until there is an answer of success.

    Raises:
        ServerError: there is none, or one that will not change.
    """
    attempt = 0
    while True:
        outcome = yield request
        if isinstance(outcome, httpx.Response):
            server.reached = True
            if outcome.is_success:
                return outcome
        if not _may_change(outcome) or attempt >= _retries(server, outcome):
            raise failure(server.url, request.path, outcome, server.timeout, tries=attempt + 1)
        yield Pause(_pause(outcome, attempt))
        attempt += 1


def _may_change(outcome: Outcome) -> bool:
    if isinstance(outcome, httpx.Response):
        return outcome.status_code in _COMES_BACK
    if isinstance(outcome, httpx.ReadTimeout | httpx.WriteTimeout | httpx.PoolTimeout):
        return False  # it was given its time
    return isinstance(outcome, httpx.TransportError) and not _is_hopeless(outcome)


def _is_hopeless(error: httpx.TransportError) -> bool:
    refused = isinstance(error, httpx.UnsupportedProtocol | httpx.ProxyError)
    return refused or "CERTIFICATE_VERIFY_FAILED" in str(error)


def _retries(server: Server, outcome: Outcome) -> int:
    if isinstance(outcome, httpx.Response) or server.reached:
        return server.retries
    return min(server.retries, _FEW)


def _pause(outcome: Outcome, attempt: int) -> float:
    """Longer each time, and no less than the server asks for; never all clients at once."""
    own = min(float(_FIRST_PAUSE * 2**attempt), _LONGEST_PAUSE) * random.uniform(0.75, 1.25)
    if isinstance(outcome, httpx.Response):
        asked_for = outcome.headers.get("Retry-After", "").strip()
        if asked_for.isdecimal():
            wanted = min(float(asked_for), _LONGEST_ASKED_FOR) + random.uniform(0, _FIRST_PAUSE)
            return max(wanted, own)
    return own
