"""Bytes over a socket, whatever they are: an HTTP library would not send most of the attacks."""

from __future__ import annotations

import json
import re
import select
import socket
import time
from contextlib import suppress
from dataclasses import dataclass

__all__ = ["Answer", "Request", "get", "post", "post_json", "raw", "send"]

TOO_LONG = 64 << 20
"""No answer has as many bytes."""


@dataclass(frozen=True)
class Request:
    """What is sent.

    Attributes:
        pieces: one after the other.
        pause: seconds between two of them.
        half_close: say then that nothing more will come, as one may who still reads.
    """

    pieces: tuple[bytes, ...]
    pause: float = 0.0
    half_close: bool = False


@dataclass(frozen=True)
class Answer:
    """What came back; of status None when the connection was closed without a word."""

    status: int | None
    head: bytes = b""
    body: bytes = b""

    def numbers(self) -> list[float]:
        """Those of a good answer: embeddings, or the scores of labels in alphabetical order."""
        found: list[float] = []
        for each in json.loads(self.body)["data"]:
            scores = sorted(each.get("scores", ()), key=lambda score: score["label"])
            found += each.get("embedding") or [score["score"] for score in scores]
        return found

    def error(self) -> dict[str, object]:
        """The error in the form that all of the API's have."""
        found = json.loads(self.body)["error"]
        assert set(found) == {"message", "type", "param", "code"}, found
        return found


def raw(*pieces: bytes, pause: float = 0.0, half_close: bool = False) -> Request:
    return Request(pieces, pause, half_close)


def get(path: str, **headers: str) -> Request:
    return raw(_head("GET", path, headers) + b"\r\n")


def post(path: str, body: bytes, content_type: str = "application/json", **headers: str) -> Request:
    """A request with a length; headers may replace it, underscores stand for hyphens."""
    told = {"Content_Type": content_type, "Content_Length": str(len(body)), **headers}
    return raw(_head("POST", path, told) + b"\r\n" + body)


def post_json(path: str, value: object) -> Request:
    return post(path, json.dumps(value).encode())


def _head(method: str, path: str, headers: dict[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{_name(key)}: {headers[key]}" for key in headers)]
    if "Host" not in headers:
        lines.insert(1, "Host: localhost")
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")


def _name(key: str) -> str:
    return key.replace("_", "-")


def send(port: int, request: Request, patience: float = 60.0) -> Answer:
    """Send until there is an answer, which may well be before the end of what is to be sent."""
    deadline = time.monotonic() + patience
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        connection.setblocking(False)
        received = bytearray()
        for number, piece in enumerate(request.pieces):
            if number and _arrives(connection, received, time.monotonic() + request.pause):
                break
            if not _sent(connection, piece, received, deadline):
                break
        else:
            if request.half_close:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
        while not _is_whole(received) and _receive(connection, received, deadline):
            pass
    return _answer(bytes(received))


def _arrives(connection: socket.socket, received: bytearray, until: float) -> bool:
    """Wait; has an answer begun, or has the connection ended?"""
    readable, _, _ = select.select([connection], [], [], max(0, until - time.monotonic()))
    return bool(readable)


def _sent(connection: socket.socket, piece: bytes, received: bytearray, deadline: float) -> bool:
    """Send all of it, unless an answer comes or nobody listens."""
    rest = memoryview(piece)
    while rest:
        left = deadline - time.monotonic()
        readable, writable, _ = select.select([connection], [connection], [], max(0, left))
        if readable or not writable:
            return False
        try:
            rest = rest[connection.send(rest[: 1 << 18]) :]
        except OSError:
            return False
    return True


def _receive(connection: socket.socket, received: bytearray, deadline: float) -> bool:
    """Take what comes; False at the end."""
    readable, _, _ = select.select([connection], [], [], max(0, deadline - time.monotonic()))
    if not readable:
        raise TimeoutError(f"no answer, or not all of it: {bytes(received[:200])!r}")
    try:
        part = connection.recv(1 << 18)
    except OSError:
        return False
    received += part
    return bool(part) and len(received) < TOO_LONG


def _is_whole(received: bytearray) -> bool:
    head, gap, body = received.partition(b"\r\n\r\n")
    if not gap:
        return False
    length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
    if length:
        return len(body) >= int(length[1])
    return body.endswith(b"0\r\n\r\n") and b"chunked" in head.lower()


def _answer(received: bytes) -> Answer:
    head, _, body = received.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    return Answer(int(status[1]) if status else None, head, body)
