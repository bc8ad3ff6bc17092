"""A line of the log for each request: what was asked for and what came of it, no secrets."""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import time
import unicodedata
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .metrics import Metrics

__all__ = ["AccessLog", "configure", "event"]

_logger = logging.getLogger("snaplink.serve")

_SANE_ID = re.compile(rb"[\w.:-]{1,64}", re.ASCII)
_GONE = 499
"""The status, only here, of requests whose client did not wait for the answer."""
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked for every few seconds by machines: logged only if something is wrong."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class AccessLog:
    """ASGI, the outermost ring: logs, counts, and gives each request an id.

    The id is that of the header X-Request-ID, if the request has a sane one; it goes back with
    the answer, and stands in the log.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        scope["request_id"] = name = _request_id(scope)
        status, size = _GONE, 0

        async def watched(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", name.encode())]
            else:
                size += len(message.get("body", b""))
            await send(message)

        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, watched)
        finally:
            self._metrics.in_flight.dec()
            self._note(scope, status, time.perf_counter() - started, size)

    def _note(self, scope: Scope, status: int, seconds: float, size: int) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.request(method, _template(scope), status, seconds)
        path = scope["path"]
        if path in _QUIET and status < 400:
            return
        _logger.info(
            "request",
            extra={
                "facts": {
                    "id": scope["request_id"],
                    "method": method,
                    "path": path[:200],
                    "status": status,
                    "ms": round(seconds * 1000, 1),
                    "bytes": size,
                }
            },
        )


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return str(value.decode())
    return secrets.token_hex(8)


def _template(scope: Scope) -> str:
    """The route, as a label of metrics: there are only so many."""
    return getattr(scope.get("route"), "path", "none")


def configure(*, terminal: bool) -> None:
    """Send the server's log, and all others' warnings, to standard error.

    Args:
        terminal: for people to read; else each line is a JSON object.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Readable() if terminal else _JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # it warns of what strangers send
    _logger.setLevel(logging.INFO)


def event(what: str, **facts: object) -> None:
    """Log what happened to the server itself."""
    _logger.info(what, extra={"facts": facts})


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)

    converter = staticmethod(time.gmtime)


class _Readable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts, clock = getattr(record, "facts", {}), self.formatTime(record, "%H:%M:%S")
        if record.getMessage() != "request":
            said = " ".join([record.getMessage(), *(f"{k}={v}" for k, v in facts.items())])
            trace = self.formatException(record.exc_info) if record.exc_info else ""
            return "\n".join(filter(None, [f"{clock} {record.levelname.lower()}: {said}", trace]))
        path = "".join(c if unicodedata.category(c)[0] != "C" else "?" for c in facts["path"])
        return (
            f"{clock} {facts['method']} {path} {facts['status']} "
            f"{facts['ms']:g} ms {facts['bytes']:,} B"
        )
