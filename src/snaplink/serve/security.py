"""Who may ask, from where, and what a browser may do with the answer."""

from __future__ import annotations

import hashlib
import hmac
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import ApiError
from .listening import is_address, is_loopback

__all__ = ["Door", "Headers", "Session", "accepted_names"]

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "connect-src": "'self'",
    "form-action": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

_HEADERS = {
    "content-security-policy": "; ".join(f"{what} {where}" for what, where in _POLICY.items()),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}

_HEAD_BYTES = 1 << 16
"""Of a request's address and headers."""

_OPEN = frozenset({"/", "/healthz", "/readyz", "/session"})
"""What needs no token, beside the page's own files: they are the same everywhere."""


class Headers:
    """ASGI: strict headers on every answer; those that a route has set itself stay."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._ours = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                theirs = list(message.get("headers", ()))
                names = {name for name, _ in theirs}
                theirs += [header for header in self._ours if header[0] not in names]
                message["headers"] = theirs
            await send(message)

        await self._app(scope, receive, strict)


class Session:
    """The token, and the cookie by which a browser that has shown it is known.

    The cookie is made of the token but does not give it away, and its name differs between
    servers, since browsers send cookies to all ports of a host.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token.encode() if token else None
        self._proof = self._made("session")
        self.cookie = f"snaplink-{self._made('name')[:8]}"

    def _made(self, purpose: str) -> str:
        return hmac.new(self._token or b"", purpose.encode(), hashlib.sha256).hexdigest()

    @property
    def needed(self) -> bool:
        """Is there a token at all?"""
        return self._token is not None

    @property
    def proof(self) -> str:
        """The cookie's value."""
        return self._proof

    def opens(self, token: str) -> bool:
        """Is this the token? Compared in a time that tells nothing of it."""
        given = token.encode("utf-8", "surrogatepass")
        return self._token is None or hmac.compare_digest(given, self._token)

    def knows(self, authorization: bytes, cookie: bytes) -> bool:
        """Is it one of these two headers that shows the token?"""
        scheme, _, token = authorization.decode("latin-1").partition(" ")
        if scheme.lower() == "bearer" and self.opens(token.strip()):
            return True
        given = _cookie(cookie, self.cookie).encode()
        return hmac.compare_digest(given, self._proof.encode())


def _cookie(header: bytes, name: str) -> str:
    """Its value; others of this host's, whose form may be any, do not matter."""
    for part in header.decode("latin-1").split(";"):
        key, _, value = part.partition("=")
        if key.strip() == name:
            return value.strip()
    return ""


class Door:
    """ASGI: refuses strange hosts, other sites, and whoever has not shown the token.

    Args:
        app: what is called for those who may come in.
        session: the token.
        names: hosts, without port, by which the server is known; addresses always are, since a
            page that was brought here by a changed name (DNS rebinding) uses that name.
    """

    def __init__(self, app: ASGIApp, *, session: Session, names: Iterable[str]) -> None:
        self._app = app
        self._session = session
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            _check_size(scope)
            self._check_host(scope["headers"], headers.get(b"host", b""))
            _check_site(scope, headers)
            if self._session.needed and not _is_open(scope["path"]):
                self._check_token(headers)
        await self._app(scope, receive, send)

    def _check_host(self, headers: Iterable[tuple[bytes, bytes]], host: bytes) -> None:
        if sum(name == b"host" for name, _ in headers) != 1:
            raise ApiError(400, "the request is to have one header Host")
        name = _hostname(host.decode("latin-1"))
        if name is None:
            raise ApiError(400, "the request's header Host is no host and port")
        if name not in self._names and not is_address(name):
            raise ApiError(
                403,
                f"this server does not go by the name {name[:100]!r}: ask by its address, or "
                f"start it with --allow-host {name[:100]}",
                code="unknown_host",
            )

    def _check_token(self, headers: dict[bytes, bytes]) -> None:
        authorization = headers.get(b"authorization", b"")
        if self._session.knows(authorization, headers.get(b"cookie", b"")):
            return
        what = "the token is not this server's" if authorization else "this server wants its token"
        raise ApiError(
            401,
            f"{what}: send Authorization: Bearer TOKEN, with the one that snaplink serve was "
            "given or has printed",
            headers={"WWW-Authenticate": "Bearer"},
        )


def _check_size(scope: Scope) -> None:
    fields = sum(len(name) + len(value) for name, value in scope["headers"])
    if fields + len(scope.get("raw_path", b"")) + len(scope["query_string"]) > _HEAD_BYTES:
        message = f"the request's address and headers have more than {_HEAD_BYTES:,} bytes"
        raise ApiError(431, message, headers={"Connection": "close"})


def _check_site(scope: Scope, headers: dict[bytes, bytes]) -> None:
    """Refuse what another site's page makes a browser ask for."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        strange = site not in (b"same-origin", b"none") and not _is_visit(scope, headers)
    else:
        origin = headers.get(b"origin")
        strange = origin is not None and _netloc(origin) != headers.get(b"host", b"").lower()
    if strange:
        raise ApiError(403, "pages of other sites may not use this server", code="cross_site")


def _is_visit(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    """Somebody follows a link to the page."""
    return (
        scope["path"] == "/"
        and scope["method"] == "GET"
        and headers.get(b"sec-fetch-mode") == b"navigate"
        and headers.get(b"sec-fetch-dest") == b"document"
    )


def _netloc(origin: bytes) -> bytes:
    try:
        return urlsplit(origin.decode("latin-1")).netloc.lower().encode("latin-1")
    except ValueError:
        return b""


def _hostname(host: str) -> str | None:
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises if it is none
    except ValueError:
        return None
    plain = parts.netloc == host and "@" not in host and not parts.path
    return parts.hostname if plain else None


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith("/static/")


def accepted_names(host: str, further: Iterable[str]) -> set[str]:
    """The names by which a server that listens at `host` may be asked for."""
    names = {"localhost", host, *further}
    if not is_loopback(host):
        own = socket.gethostname()
        names |= {own, f"{own}.local", socket.getfqdn()}
    return names
