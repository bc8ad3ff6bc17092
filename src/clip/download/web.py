"""Reading a file from a web server: the one place that speaks HTTP."""

from __future__ import annotations

import logging
import os
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path

import httpx

from .body import Body, Interrupted, Unusable
from .redact import redact

__all__ = ["read_web"]

_MAX_REDIRECTS = 10
_CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_TRY_AGAIN = {408, 425, 429}

_this_thread = threading.local()


@contextmanager
def read_web(address: str, offset: int, validator: str | None, timeout: float) -> Iterator[Body]:
    """Ask a server for a file from `offset` on.

    Proxies are taken from the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY), and so
    are certificates (SSL_CERT_FILE, SSL_CERT_DIR, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE).

    Args:
        address: an http or https address; user name and password in it are sent, never shown.
        offset: how many bytes are here already.
        validator: the ETag or date that those bytes were served under: if the file has changed
            since, the server sends all of it.
        timeout: seconds without a byte after which the connection is given up.

    Raises:
        Unusable: the server cannot give the file.
        Interrupted: it may give it, or the rest of it, when asked again.
    """
    with _no_logs(), _plain_errors(), _client(timeout) as client:
        response = _ask(client, address, offset, validator)
        if offset and not _continues(response, offset):
            response.close()
            response = _ask(client, address, 0, None)
        try:
            yield _body(response)
        finally:
            response.close()


def _client(timeout: float) -> httpx.Client:
    try:
        return httpx.Client(
            timeout=timeout,
            verify=_certificates(),
            headers={"User-Agent": "snaplink", "Accept-Encoding": "identity"},
        )
    except (ValueError, ImportError) as error:
        reason = f"cannot be asked through the proxy of the environment ({redact(str(error))})"
    raise Unusable(reason)


def _certificates() -> ssl.SSLContext:
    for variable in _CA_VARIABLES:
        if value := os.environ.get(variable):
            try:
                return _certificates_of(value)
            except OSError as error:
                reason = f"{variable} names {value}, which holds no certificates ({error})"
            raise Unusable(f"cannot be asked: {reason}")
    return _certificates_of(None)


@lru_cache(maxsize=4)
def _certificates_of(path: str | None) -> ssl.SSLContext:
    """Reading some hundred certificates takes longer than a request to a near server."""
    if path is None:
        return httpx.create_ssl_context(trust_env=False)
    if Path(path).is_dir():
        return ssl.create_default_context(capath=path)
    return ssl.create_default_context(cafile=path)


def _ask(client: httpx.Client, address: str, offset: int, validator: str | None) -> httpx.Response:
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    if offset and validator:
        headers["If-Range"] = validator
    request = client.build_request("GET", address, headers=headers)
    for _ in range(_MAX_REDIRECTS):
        response = client.send(request, stream=True)
        if response.next_request is None:
            return response
        response.close()
        if request.url.scheme == "https" and response.next_request.url.scheme != "https":
            place = redact(str(response.next_request.url))
            raise Unusable(f"redirects from https to an insecure address, {place}")
        request = response.next_request
    raise Unusable(f"redirects more than {_MAX_REDIRECTS} times")


def _continues(response: httpx.Response, offset: int) -> bool:
    """Whether this answer to a request for a range can be used as it is."""
    if response.status_code == 206:
        return _content_range(response)[0] == offset
    return response.status_code != 416


def _body(response: httpx.Response) -> Body:
    _refuse_failure(response)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Unusable("sends the file compressed, which was not asked for")
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise Unusable("sends a web page in place of the file (a proxy's or a login page?)")
    if response.status_code == 206:
        start, total = _content_range(response)
    else:
        start, total = 0, _number(response.headers.get("Content-Length"))
    return Body(start, total, _validator(response), _pieces(response))


def _refuse_failure(response: httpx.Response) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    answer = f"answers {status} {response.reason_phrase}".rstrip()
    if status >= 500 or status in _TRY_AGAIN:
        raise Interrupted(answer, _retry_after(response))
    raise Unusable(answer)


def _pieces(response: httpx.Response) -> Iterator[bytes]:
    with _plain_errors():
        yield from response.iter_raw()


def _content_range(response: httpx.Response) -> tuple[int, int | None]:
    """Position of the first byte (-1 if the header is unusable) and size of the whole file."""
    header = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", header.strip())
    return (int(match[1]), _number(match[2])) if match else (-1, None)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _validator(response: httpx.Response) -> str | None:
    etag: str = response.headers.get("ETag", "")
    # A weak ETag promises equal meaning, not equal bytes.
    if etag.startswith('"'):
        return etag
    return response.headers.get("Last-Modified") or None


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that the server asks to be left alone; it says a number or a date."""
    header = response.headers.get("Retry-After", "").strip()
    if header.isdecimal():
        return float(header)
    try:
        then = parsedate_to_datetime(header)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=timezone.utc)
    return max(0.0, (then - datetime.now(timezone.utc)).total_seconds())


@contextmanager
def _plain_errors() -> Iterator[None]:
    """httpx's errors as ours; theirs hold the request with all that its address carries."""
    try:
        yield
    except httpx.TimeoutException:
        raise Interrupted("gives no answer in time") from None
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise Unusable(f"is no usable address ({redact(str(error))})") from None
    except httpx.TransportError as error:
        reason = redact(str(error)) or type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            advice = "name your certificate authority's file in SSL_CERT_FILE"
            raise Unusable(f"has a certificate that is not trusted ({reason}); {advice}") from None
        if isinstance(error, httpx.ProxyError) and reason.startswith("407"):
            raise Unusable(f"is behind a proxy that wants a password ({reason})") from None
        what = "cannot be reached" if isinstance(error, httpx.ConnectError) else "breaks off"
        raise Interrupted(f"{what} ({reason})") from None


class _Hush(logging.Filter):
    """Drops what the HTTP library logs of our requests: addresses and headers, in full."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(_this_thread, "reads_web", False)


for _name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy"):
    logging.getLogger(_name).addFilter(_Hush())


@contextmanager
def _no_logs() -> Iterator[None]:
    _this_thread.reads_web = True
    try:
        yield
    finally:
        _this_thread.reads_web = False
