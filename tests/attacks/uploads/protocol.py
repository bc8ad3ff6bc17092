"""Requests that break HTTP, or use it against the server; and ways into the house.

Each has a name that says what is wrong with it, the statuses that are right for it, and what the
reason must say. A status of None stands for a connection that is closed without an answer.
"""

from __future__ import annotations

import gzip
import json

from .formats import saved
from .wire import Request, get, post, raw

__all__ = ["Case", "by_the_parser", "cases"]

Case = tuple[Request, tuple[int | None, ...], str]

EMBED = "/v1/embeddings"
GOOD = json.dumps({"input": "a cat"}).encode()
START = b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"


def cases() -> dict[str, Case]:
    return {**kinds(), **lengths(), **methods(), **places(), **strangers()}


def kinds() -> dict[str, Case]:
    """Bodies that say that they are something else."""
    told = {
        "text": "text/plain",
        "xml": "application/xml",
        "a form of one part": "application/x-www-form-urlencoded",
        "a picture": "image/png",
        "nothing": "",
        "nonsense": "/;;;=",
        "a thousand parameters": "text/json" + ";a=b" * 1000,
    }
    found: dict[str, Case] = {
        f"content type of {name}": (post(EMBED, GOOD, kind), (400, 415, 422), "")
        for name, kind in told.items()
    }
    packed, bomb = gzip.compress(GOOD), gzip.compress(bytes(20_000_000), 9)
    refused = (400, 415, 422)
    found["body packed by gzip"] = (post(EMBED, packed, Content_Encoding="gzip"), refused, "")
    found["body of a gzip bomb"] = (post(EMBED, bomb, Content_Encoding="gzip"), refused, "")
    found["body that is a picture"] = (post("/v1/classify", saved("png"), "image/png"), refused, "")
    return found


def lengths() -> dict[str, Case]:
    """Bodies that are longer than they may be."""
    stream = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    return {
        "length of a terabyte": (post(EMBED, b"{", Content_Length=str(1 << 40)), (413,), ""),
        "chunks without an end": (raw(CHUNKED, *[stream] * 100), (413,), ""),
        "a picture of 21 megabytes": (
            post("/v1/classify", b"x" * (21 << 20), "multipart/form-data; boundary=x"),
            (400, 413, 415, 422),
            "",
        ),
    }


def methods() -> dict[str, Case]:
    calls = {
        "GET": EMBED,
        "PUT": EMBED,
        "DELETE": "/v1/models",
        "PATCH": "/v1/classify",
        "TRACE": "/",
        "POST": "/healthz",
    }
    return {
        f"method {method} of {path}": (
            raw(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()),
            (400, 404, 405),
            "",
        )
        for method, path in calls.items()
    }


def places() -> dict[str, Case]:
    paths = {
        "above the page's files": "/static/../../../../etc/passwd",
        "above, in percent signs": "/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "above, in percent signs twice": "/static/%252e%252e/%252e%252e/etc/passwd",
        "above, as Windows writes it": "/static/..%5c..%5c..%5cetc%5cpasswd",
        "from the root": "/static//etc/passwd",
        "code": "/static/../app.py",
        "NUL": "/static/index.html%00.png",
        "a picture above": "/v1/pictures/..%2f..%2f..%2fetc%2fpasswd",
        "a picture from the root": "/v1/pictures/%2fetc%2fpasswd",
        "a picture of NUL": "/v1/pictures/%00",
        "a picture of no row": "/v1/pictures/0-99999999999999999999",
        "a thumbnail of no row": "/v1/pictures/nothing/thumbnail",
        "a model above": "/v1/models/..%2f..%2fetc%2fpasswd",
        "nothing": "/wp-login.php",
        "an address of 30 kilobytes": "/" + "a" * 30_000,
    }
    return {
        f"path: {name}": (get(path), (400, 404, 410, 414, 422), "") for name, path in paths.items()
    }


def strangers() -> dict[str, Case]:
    """What another web page would make a browser send."""
    return {
        "host of a stranger": (get("/v1/models", Host="evil.example"), (400, 403), ""),
        "host of a stranger with our port": (
            get("/v1/models", Host="127.0.0.1.evil.example:8000"),
            (400, 403),
            "",
        ),
        "post from a stranger's page": (
            post(EMBED, GOOD, Origin="https://evil.example", Sec_Fetch_Site="cross-site"),
            (403,),
            "",
        ),
        "preflight of a stranger's page": (
            raw(
                b"OPTIONS /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n"
                b"Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n"
            ),
            (400, 403, 405),
            "",
        ),
        "websocket": (
            raw(
                b"GET /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ),
            (400, 403, 404, 405, 426),
            "",
        ),
    }


def by_the_parser() -> dict[str, Case]:
    """Below the application: the parser says 400 in its own words, or the connection ends."""
    closed = (400, None)
    smuggled = b"0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    both = START + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled
    requests = {
        "random bytes": raw(bytes(range(128, 256)) * 10 + b"\r\n\r\n"),
        "a greeting of TLS": raw(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(500)),
        "a greeting of HTTP 2": raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        "a version of the future": raw(b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n"),
        "an unknown method": raw(b"BREW /coffee HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        "no address": raw(b"GET\r\n\r\n"),
        "a head without a colon": raw(b"GET / HTTP/1.1\r\nnonsense\r\n\r\n"),
        "a head with NUL": raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n"),
        "a content type of control letters": post(EMBED, GOOD, "\x01/\x02"),
        "a space before a colon": raw(START + b"Content-Length : 5\r\n\r\nhello"),
        "a length of letters": raw(START + b"Content-Length: five\r\n\r\nhello"),
        "a length below zero": raw(START + b"Content-Length: -5\r\n\r\nhello"),
        "a length beyond 64 bits": raw(START + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n"),
        "two lengths": raw(START + b"Content-Length: 5\r\nContent-Length: 50\r\n\r\nhello"),
        "a length and chunks": raw(both),
        "chunks of no size": raw(CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n"),
        "chunks of a size beyond 64 bits": raw(CHUNKED + b"f" * 20 + b"\r\nhello"),
        "chunks of a size below zero": raw(CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n"),
        "chunks that are longer than they say": raw(CHUNKED + b"1\r\nhello\r\n0\r\n\r\n"),
        "half a head, and an end": raw(START[:30], half_close=True),
        "half a body, and an end": raw(START + b"Content-Length: 100\r\n\r\n{", half_close=True),
        "half a chunk, and an end": raw(CHUNKED + b"ff\r\n{", half_close=True),
    }
    return {name: (request, closed, "") for name, request in requests.items()}
