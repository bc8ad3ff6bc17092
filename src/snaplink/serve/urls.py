"""Pictures of other servers, fetched from addresses that all the world can reach and no others."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import SplitResult, urljoin, urlsplit

import httpcore
import httpx

from snaplink.errors import PictureError

from .errors import ApiError, PictureTooLarge

__all__ = ["Fetcher", "fetch", "is_public"]

_PORTS = {"http": 80, "https": 443}
"""Others belong to services that are no web servers, and may do something when they are asked."""

_HEADERS = [
    (b"Accept", b"image/*"),
    (b"Accept-Encoding", b"identity"),
    (b"User-Agent", b"snaplink"),
]
_REDIRECTS = 3
_SECONDS = 10.0

_FAILURES = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)

Resolve = Callable[[str], Awaitable[list[str]]]
"""The addresses of a host, as text."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_REFUSED = (
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4 relays, which Python calls global
    ipaddress.ip_network("64:ff9b:1::/48"),  # NAT64 within a network
    ipaddress.ip_network("2002::/16"),  # 6to4 and Teredo carry an IPv4 address inside
    ipaddress.ip_network("2001::/32"),
    ipaddress.ip_network("fec0::/10"),
)


def is_public(address: str) -> bool:
    """Can all the world reach this address? Not so: private networks, this machine, a cloud's data.

    >>> is_public("93.184.215.14"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        within = parsed.ipv4_mapped
        if within is None and parsed in _NAT64:
            within = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if within is not None:
            return is_public(str(within))
        if parsed.scope_id is not None or int(parsed) >> 32 == 0:  # IPv4-compatible ones
            return False
    refused = any(parsed in network for network in _REFUSED if network.version == parsed.version)
    return parsed.is_global and not parsed.is_multicast and not refused


async def _resolve(host: str) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise _Refused("its host has a part that is empty or too long") from None
    return [str(address[0]) for *_, address in found]


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the very address that was checked: a name could mean another one by then."""

    def __init__(self, resolve: Resolve, allowed: Callable[[str], bool]) -> None:
        self._inner = httpcore.AnyIOBackend()
        self._resolve = resolve
        self._allowed = allowed

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        # What inet_aton takes for an address (0x7f.1, 2130706433) comes out of the resolver as one.
        addresses = list(dict.fromkeys(await self._resolve(host)))
        if not addresses or not all(map(self._allowed, addresses)):
            raise _Refused(f"{host} is no public address")
        error: Exception = httpcore.ConnectError(host)
        for address in addresses:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise _Refused("no web server")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class _Refused(Exception):  # noqa: N818  # of a URL, not of the program
    """A URL that is not fetched."""


class Fetcher:
    """Fetches what URLs name. It has no cookies, no credentials, no proxy.

    Args:
        resolve: gives the addresses of a host; by default the system's.
        allowed: which addresses may be asked.
        ports: by scheme.
        seconds: for all of it, redirects included.
        tls: by default the system's authorities are trusted.
    """

    def __init__(
        self,
        resolve: Resolve = _resolve,
        *,
        allowed: Callable[[str], bool] = is_public,
        ports: dict[str, int] | None = None,
        seconds: float = _SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._backend = _CheckedBackend(resolve, allowed)
        self._ports = ports or _PORTS
        self._seconds = seconds
        self._tls = tls

    async def __call__(self, url: str, *, limit: int, name: str | None = None) -> bytes:
        """The content of a URL.

        Args:
            url: http or https, on its usual port.
            limit: how many bytes it may have.
            name: what errors call it.

        Raises:
            ApiError: the URL is none that is fetched.
            PictureError: nothing comes from there.
            PictureTooLarge: too much does.
        """
        name = name or url[:200]
        try:
            return await asyncio.wait_for(self._fetched(url, limit, name), self._seconds)
        except _Refused as refused:
            raise ApiError(400, f"{name}: {refused}", code="url_refused") from None
        except (TimeoutError, asyncio.TimeoutError):
            raise PictureError(name, f"did not come within {self._seconds:g} s") from None
        except (*_FAILURES, OSError) as error:
            raise PictureError(name, f"cannot be fetched ({type(error).__name__})") from None

    async def _fetched(self, url: str, limit: int, name: str) -> bytes:
        async with httpcore.AsyncConnectionPool(
            ssl_context=self._tls or ssl.create_default_context(),
            max_connections=1,
            network_backend=self._backend,
        ) as pool:
            for _ in range(_REDIRECTS + 1):
                target = self._target(url)
                headers = [(b"Host", httpx.URL(target).netloc), *_HEADERS]
                async with pool.stream("GET", target, headers=headers) as answer:
                    if answer.status not in (301, 302, 303, 307, 308):
                        return await _body(answer, limit, name)
                    url = urljoin(target, _location(answer))
        raise PictureError(name, f"redirects more than {_REDIRECTS} times")

    def _target(self, url: str) -> str:
        """The URL as it will be sent.

        Raises:
            _Refused: it is none that is fetched.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
            target = httpx.URL(url.partition("#")[0])
        except (ValueError, httpx.InvalidURL):
            raise _Refused("this is no URL") from None
        _check_parts(parts)
        if port not in (None, self._ports[parts.scheme]):
            raise _Refused(f"only the port {self._ports[parts.scheme]} of {parts.scheme} is asked")
        return str(target.copy_with(port=self._ports[parts.scheme]))


def _check_parts(parts: SplitResult) -> None:
    if parts.scheme not in _PORTS:
        raise _Refused("only http:// and https:// are fetched")
    if parts.username is not None or parts.password is not None:
        raise _Refused("a URL with a name or password is not fetched")
    if not parts.hostname:
        raise _Refused("it names no host")


def _location(answer: httpcore.Response) -> str:
    for name, value in answer.headers:
        if name.lower() == b"location":
            return value.decode("latin-1")
    raise _Refused("it redirects to nowhere")


async def _body(answer: httpcore.Response, limit: int, name: str) -> bytes:
    if answer.status != 200:
        raise PictureError(name, f"the server there answers {answer.status}")
    content = bytearray()
    async for piece in answer.aiter_stream():
        content += piece
        if len(content) > limit:
            raise PictureTooLarge(name, f"has more than {limit:,} bytes")
    return bytes(content)


fetch = Fetcher()
"""Fetches by the system's resolver, from public addresses alone."""
