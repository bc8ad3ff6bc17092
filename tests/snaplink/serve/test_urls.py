"""What URLs name is fetched within limits, and from no private address, however it is spelt."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from snaplink.errors import PictureError
from snaplink.serve.errors import ApiError, PictureTooLarge
from snaplink.serve.urls import Fetcher, is_public

PRIVATE = """
    127.0.0.1 127.1.2.3 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1
    169.254.169.254 100.64.0.1 192.0.0.1 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 192.88.99.1
    224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
    :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:7f00:1
    64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 2002:7f00:1:: 2002:a00:1::
    2001:0:7f00:1:: 2001:db8::1 100::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1
    localhost 127.1 2130706433 nonsense
"""
PUBLIC = "93.184.215.14 8.8.8.8 2606:4700:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808"


@pytest.mark.parametrize("address", PRIVATE.split())
def test_addresses_that_are_not_for_all_the_world(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_addresses_that_are(address):
    assert is_public(address)


def refused(url: str, fetcher: Fetcher | None = None) -> str:
    with pytest.raises(ApiError) as caught:
        asyncio.run((fetcher or Fetcher())(url, limit=100, name="the picture"))
    assert (caught.value.status, caught.value.code) == (400, "url_refused")
    return caught.value.message


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1",
        "017700000001", "0177.0.0.1", "0", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "[::127.0.0.1]", "169.254.169.254", "10.0.0.1",
        "192.168.0.1", "[fe80::1]", "[fd00::1]", "[64:ff9b::7f00:1]", "127.0.0.1.", "LOCALHOST",
        "①②⑦.⓪.⓪.①", "127。0。0。1",
    ],
)  # fmt: skip
def test_private_addresses_in_every_spelling_are_not_asked(host):
    """By the system's own resolver, which needs no network for these."""
    with pytest.raises((ApiError, PictureError)) as caught:
        asyncio.run(Fetcher(seconds=5)(f"http://{host}/", limit=100))
    said = str(caught.value)
    assert "no public address" in said or "no URL" in said or "gaierror" in said, said


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://a.example/", "only http:// and https:// are fetched"),
        ("file:///etc/passwd", "only http:// and https:// are fetched"),
        ("gopher://a.example:80/", "only http:// and https:// are fetched"),
        ("http://user:secret@a.example/", "with a name or password is not fetched"),
        ("http://a.example:22/", "only the port 80 of http is asked"),
        ("https://a.example:80/", "only the port 443 of https is asked"),
        ("http:///a.png", "it names no host"),
        ("http://a.example:x/", "this is no URL"),
        ("http://[::1/", "this is no URL"),
        ("http://a.example/" + "\n" + "x", ""),
    ],
)
def test_urls_that_are_not_fetched(url, why):
    async def resolve(host: str) -> list[str]:
        return ["10.0.0.1"]

    assert why in refused(url, Fetcher(resolve))
    assert "secret" not in refused(url, Fetcher(resolve))


@pytest.mark.parametrize("host", ["a..example", "a" * 64 + ".example"])
def test_hosts_that_cannot_be_looked_up(host):
    assert "empty or too long" in refused(f"http://{host}/", Fetcher())


class Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[dict]] = []

    def do_GET(self) -> None:
        self.asked.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
        name, _, rest = self.path[1:].partition("/")
        if name == "to":
            self.answer(302, b"", Location=rest)
        elif name == "bytes":
            self.answer(200, b"x" * int(rest.partition("?")[0]), **{"Content-Type": "text/html"})
        elif name == "endless":
            self.send_response(200)
            self.end_headers()
            while True:
                try:
                    self.wfile.write(b"x" * 1000)
                except OSError:
                    return
        elif name == "slow":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(1000):
                time.sleep(0.1)
                try:
                    self.wfile.write(b"x")
                except OSError:
                    return
        elif name == "nowhere":
            self.answer(302, b"")
        else:
            self.answer(404, b"not here")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetcher(port):
    """Takes 127.0.0.1 for a public address, which a.example has; b.example is private."""

    def make(**options) -> Fetcher:
        async def resolve(host: str) -> list[str]:
            return {"a.example": ["127.0.0.1"], "b.example": ["10.0.0.1"]}.get(host, [])

        ports = {"http": port, "https": 1}
        allowed = "127.0.0.1".__eq__
        return Fetcher(resolve, **{"allowed": allowed, "ports": ports, **options})

    return make


def test_what_is_there_comes_without_a_word_about_us(fetcher, port):
    Site.asked.clear()
    assert asyncio.run(fetcher()("http://a.example/bytes/10?a=b#c", limit=10)) == b"x" * 10
    [asked] = Site.asked
    assert asked["path"] == "/bytes/10?a=b"
    assert asked["host"] == f"a.example:{port}"
    assert set(asked) == {"path", "host", "accept", "accept-encoding", "user-agent"}


def test_too_much_is_not_read_to_its_end(fetcher):
    for path in ("bytes/11", "endless"):
        with pytest.raises(PictureTooLarge, match="more than 10 bytes"):
            asyncio.run(fetcher()(f"http://a.example/{path}", limit=10))


def test_what_trickles_is_given_up(fetcher):
    began = time.monotonic()
    with pytest.raises(PictureError, match=r"did not come within 0\.3 s"):
        asyncio.run(fetcher(seconds=0.3)("http://a.example/slow", limit=1000))
    assert time.monotonic() - began < 60


def test_redirects_are_followed_as_far_as_they_may_lead(fetcher, port):
    def fetched(path: str) -> bytes:
        return asyncio.run(fetcher()(f"http://a.example/{path}", limit=10))

    assert fetched("to//bytes/3") == b"xxx"
    assert fetched("to/http://a.example/to//bytes/3") == b"xxx"
    for target in (
        "http://b.example/",
        f"http://10.0.0.1:{port}/",
        "http://127.0.0.1:22/",
        "file:///etc/passwd",
        "//b.example/",
    ):
        assert refused(f"http://a.example/to/{target}", fetcher())
    with pytest.raises(PictureError, match="redirects more than 3 times"):
        fetched("to//to//to//to//to//bytes/1")
    assert "it redirects to nowhere" in refused("http://a.example/nowhere", fetcher())


def test_a_name_with_one_private_address_is_not_asked_at_all():
    async def resolve(host: str) -> list[str]:
        return ["93.184.215.14", "127.0.0.1"]

    assert "a.example is no public address" in refused("http://a.example/", Fetcher(resolve))


def test_a_name_that_means_something_else_a_moment_later_gains_nothing(port):
    """The address that was checked is the one that is asked: the name is resolved but once."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    async def resolve(host: str) -> list[str]:
        return next(answers)

    ports = {"http": port, "https": 1}
    fetcher = Fetcher(resolve, allowed="127.0.0.1".__eq__, ports=ports)
    assert asyncio.run(fetcher("http://a.example/bytes/3", limit=10)) == b"xxx"
    assert next(answers) == ["10.0.0.1"]


def test_what_does_not_answer_is_told_of(fetcher):
    with pytest.raises(PictureError, match="the server there answers 404"):
        asyncio.run(fetcher()("http://a.example/", limit=10))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    ports = {"http": closed, "https": 1}
    with pytest.raises(PictureError, match="cannot be fetched"):
        asyncio.run(fetcher(ports=ports)("http://a.example/", limit=10))
