"""Where the server is, who is asking, and how patiently."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import httpx

from snaplink.errors import ArgumentError

from .parcels import Most

__all__ = ["DEFAULT_URL", "Server", "server_at"]

DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass
class Server:
    """A server as one client knows it.

    Attributes:
        url: its address, without token and with a slash at its end.
        token: what it wants to be shown; None for a server that wants none.
        model: the only one that may answer; None for any.
        timeout: seconds for connecting, and as many without a byte of the answer.
        retries: how often a request is sent again.
        reached: whether it has answered this client yet: if so, it may be restarting.
        most: what it is sent at once; less, once it could not do with that.
    """

    url: str
    token: str | None = field(repr=False)
    model: str | None
    timeout: float
    retries: int
    reached: bool = False
    most: Most = field(default_factory=Most, repr=False)

    @property
    def options(self) -> dict[str, Any]:
        """What httpx's clients are made with."""
        address = httpx.URL(self.url)
        headers = {"User-Agent": "snaplink"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return {
            "base_url": address,
            "headers": headers,
            # However many calls are under way, each waits for a connection to be free.
            "timeout": httpx.Timeout(self.timeout, pool=None),
            # A proxy of the environment could not reach this machine's own addresses.
            "trust_env": not _is_loopback(address.host),
            # Certificates, which are for https, take longer to read than a request does.
            "verify": _certificates() if address.scheme == "https" else False,
        }

    def with_model(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is sent, with the model that it is meant for."""
        return {"model": self.model, **body} if self.model else body


def server_at(
    url: str, token: str | None, model: str | None, timeout: float, retries: int
) -> Server:
    """Check what a client was told.

    Args:
        url: the address, or what `snaplink serve` prints, with ``#token=…``.
        token: goes before that of the address and that of the environment, SNAPLINK_TOKEN.
        model: the only one that may answer.
        timeout: in seconds, above 0.
        retries: 0 or more.

    Raises:
        ArgumentError: the address, the token or a number cannot be used.

    >>> server = server_at("http://gpu-box:8000/#token=abc", None, None, 60, 8)
    >>> server.url, server.token
    ('http://gpu-box:8000/', 'abc')
    >>> server
    Server(url='http://gpu-box:8000/', model=None, timeout=60, retries=8, reached=False)
    """
    address, in_address = _address(url)
    if timeout <= 0:
        raise ArgumentError(f"timeout is {timeout}: it is a number of seconds above 0")
    if retries < 0:
        raise ArgumentError(f"retries is {retries}: it is 0 or more")
    token = token or in_address or os.environ.get("SNAPLINK_TOKEN")
    return Server(address, _usable(token), model, timeout, retries)


def _address(url: str) -> tuple[str, str | None]:
    """The server's address, and the token in it."""
    try:
        given = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ArgumentError(f"{url!r} is no address ({error})") from None
    if given.scheme not in ("http", "https") or not given.host:
        raise ArgumentError(f"{url!r} is no address of a server; one looks like {DEFAULT_URL}")
    if given.userinfo:
        raise ArgumentError("the address has a user name: `snaplink serve` wants a token (token=)")
    _, is_there, token = given.fragment.partition("token=")
    path = given.path.rstrip("/") + "/"
    bare = given.copy_with(path=path, query=None, fragment=None)
    return str(bare), unquote(token) if is_there else None


def _certificates() -> ssl.SSLContext:
    """Those of the environment for this machine's own addresses, too."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        name = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
        raise ArgumentError(f"the certificates that {name} names cannot be read: {error}") from None


def _usable(token: str | None) -> str | None:
    """Without the line's end that a file brings along."""
    token = (token or "").strip()
    if not token.isascii() or not token.isprintable():
        raise ArgumentError("the token has characters that no token of `snaplink serve` has")
    return token or None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
