"""Heads of requests that never end, told by a real server."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import pytest

from snaplink.serve import heads


@pytest.fixture
def connection(running):
    address = urlsplit(running.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connected:
        yield connected


def answer(connection: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    said = b""
    while piece := connection.recv(65536):
        said += piece
    return said


def test_an_endless_header_is_cut_off(connection, running):
    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Endless: ")
    assert is_cut_off(connection, b"a" * 10_000)
    with running.client() as asking:
        assert asking.get("/healthz").status_code == 200


def test_endless_headers_are_cut_off(connection):
    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
    assert is_cut_off(connection, b"X-Header: a\r\n" * 800)


REFUSED = (
    b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nOrigin: http://another.example\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"0\r\n", b"X-Trailer: a\r\n" * 800),
        (b"0\r\nX-Endless: ", b"a" * 10_000),
        (b"1;", b"a" * 10_000),
    ],
    ids=["trailers", "a trailer", "a chunk's extension"],
)
def test_what_follows_a_body_is_cut_off_though_the_request_was_answered(connection, begin, piece):
    """Whoever has no token could fill the memory with it."""
    connection.sendall(REFUSED + begin)
    assert connection.recv(1000).startswith(b"HTTP/1.1 403 ")
    assert is_cut_off(connection, piece)


def is_cut_off(connection: socket.socket, piece: bytes) -> bool:
    """Does the server stop reading, within 10 MB?"""
    try:
        for _ in range(1000):
            connection.sendall(piece)
            time.sleep(0.001)
    except OSError:  # reset, or a pipe without its other end
        return True
    return False


def test_what_is_no_http_is_told_so(connection):
    connection.sendall(b"\x16\x03\x01\x02\x00 no HTTP\r\n\r\n")
    assert answer(connection).startswith(b"HTTP/1.1 400 ")


def test_requests_one_after_the_other_on_a_connection(connection):
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    connection.sendall(request + b"\r\n" + request + b"Connection: close\r\n\r\n")
    assert answer(connection).count(b'{"status":"ok"}') == 2


def test_a_head_that_dawdles_is_not_waited_for(monkeypatch, serving_heads):
    """In a server of this process, whose patience is short."""
    usual = heads._SECONDS
    monkeypatch.setattr(heads, "_SECONDS", 0.3)
    for beginning in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: loc"):
        with socket.create_connection(serving_heads, timeout=60) as connected:
            begun = time.monotonic()
            for byte in beginning:
                connected.sendall(bytes([byte]))
            assert answer(connected) == b""
            assert time.monotonic() - begun < usual


def test_a_body_and_a_rest_may_take_their_time(monkeypatch, serving_heads):
    monkeypatch.setattr(heads, "_SECONDS", 1.0)
    request = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n"
    with socket.create_connection(serving_heads, timeout=60) as connected:
        connected.sendall(request)
        time.sleep(1.2)
        connected.sendall(b"body")
        assert b"body" in connected.recv(1000)
        time.sleep(1.2)
        connected.sendall(request + b"more")
        assert b"more" in connected.recv(1000)


def test_the_rest_of_a_request_that_was_answered_is_not_waited_for(monkeypatch, serving_heads):
    usual = heads._SECONDS
    monkeypatch.setattr(heads, "_SECONDS", 0.3)
    request = b"POST /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 400\r\n\r\n"
    with socket.create_connection(serving_heads, timeout=60) as connected:
        begun = time.monotonic()
        connected.sendall(request + b"a beginning")
        assert answer(connected).endswith(b"early")
        assert time.monotonic() - begun < usual


@pytest.fixture(scope="module")
def serving_heads():
    """The address of a server that echoes bodies, or does not wait for them."""
    import threading

    import uvicorn
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse

    from snaplink.serve.listening import listen

    async def echo(scope, receive, send):
        early = scope["path"] == "/early"
        body = b"early" if early else await Request(scope, receive).body()
        await PlainTextResponse(body)(scope, receive, send)

    config = uvicorn.Config(
        echo, http=heads.HeadsProtocol, lifespan="off", log_config=None, ws="none"
    )
    server = uvicorn.Server(config)
    sockets = listen("127.0.0.1", 0)
    address = sockets[0].getsockname()
    thread = threading.Thread(target=server.run, args=(sockets,))
    thread.start()
    yield address
    server.should_exit = True
    thread.join(30)
