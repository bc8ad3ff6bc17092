"""What went wrong, as the exception that says what to do about it."""

from __future__ import annotations

from typing import Any

import httpx

from snaplink.errors import (
    AnswerError,
    BusyError,
    RefusedError,
    ServerError,
    TokenError,
    UnreachableError,
)

__all__ = ["failure", "not_understood"]


def failure(
    url: str,
    path: str,
    outcome: httpx.Response | httpx.HTTPError | None,
    timeout: float,
    tries: int,
) -> ServerError:
    """The exception for an answer that is none of success, or for no answer.

    Args:
        url: of the server.
        path: what was asked for, below it.
        outcome: the answer, or why there is none.
        timeout: how many seconds it was waited for.
        tries: how often it was asked.

    >>> print(failure("http://gpu/", "readyz", httpx.ConnectError("refused"), 60, tries=1))
    http://gpu/ cannot be reached (refused): is `snaplink serve` running there?
    """
    if isinstance(outcome, httpx.Response):
        return _refusal(url, path, outcome, tries)
    return UnreachableError(f"{url} {_silence(outcome, timeout, tries)}")


def _silence(error: httpx.HTTPError | None, timeout: float, tries: int) -> str:
    """Why there is no answer, and what to do."""
    reason = str(error) or type(error).__name__
    often = f", asked {tries} times" if tries > 1 else ""
    if isinstance(error, httpx.ConnectTimeout):
        return f"cannot be reached within {timeout:g} s{often}: is the address right?"
    if isinstance(error, httpx.TimeoutException):
        return (
            f"gives no answer within {timeout:g} s: ask for less at once, or give it longer "
            "(timeout=)"
        )
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return (
            f"has a certificate that is not trusted ({reason}): name your certificate "
            "authority's file in SSL_CERT_FILE"
        )
    if isinstance(error, httpx.ProxyError):
        return f"cannot be asked through the proxy of the environment ({reason})"
    if isinstance(error, httpx.ConnectError):
        return f"cannot be reached ({reason}){often}: is `snaplink serve` running there?"
    return f"breaks off its answer ({reason}){often}: was it stopped, or is it another program?"


def _refusal(url: str, path: str, answer: httpx.Response, tries: int) -> ServerError:
    """The exception for an answer that is none of success."""
    status = answer.status_code
    said = _said(answer)
    message = said.get("message") or f"{status} {answer.reason_phrase}".rstrip()
    where = f"{url} answers: {message}"
    if status == 401:
        return TokenError(
            f"{where}. Its token is what `snaplink serve` printed when it started: give it as "
            "token= or in SNAPLINK_TOKEN",
            **_facts(status, said),
        )
    if status in (429, 502, 503, 504):
        often = f" (asked {tries} times)" if tries > 1 else ""
        return BusyError(f"{where}{often}", **_facts(status, said))
    if status == 413 and not said:
        return RefusedError(
            f"{where}. This is no answer of `snaplink serve`: a proxy before it takes less "
            "(of nginx, client_max_body_size)",
            **_facts(status, said),
        )
    if 300 <= status < 400:
        place = answer.headers.get("Location", "elsewhere")
        return AnswerError(f"{url} redirects {path} to {place}: give the client that address")
    if status >= 500:
        request_id = answer.headers.get("X-Request-ID")
        log = f"; its log has more under the request id {request_id}" if request_id else ""
        return ServerError(f"{where}{log}", **_facts(status, said))
    if not said:
        return AnswerError(f"{where} to {path}: is it `snaplink serve` that runs there?")
    return RefusedError(where, **_facts(status, said))


def _facts(status: int, said: dict[str, Any]) -> dict[str, Any]:
    """What programs want to know of it."""
    texts = {name: said[name] for name in ("param", "code") if isinstance(said.get(name), str)}
    return {"status": status, "problem": said.get("message"), **texts}


def _said(answer: httpx.Response) -> dict[str, Any]:
    """What the server says of its own errors; nothing of another program's."""
    try:
        said = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return said if isinstance(said, dict) and isinstance(said.get("message"), str) else {}


def not_understood(url: object, problem: object) -> AnswerError:
    """The exception for an answer of success that says nothing we know.

    >>> print(not_understood("http://gpu-box/v1/models", "no JSON"))
    http://gpu-box/v1/models gives an answer that is not of this version of `snaplink serve` \
(no JSON): is it running there?
    """
    return AnswerError(
        f"{url} gives an answer that is not of this version of `snaplink serve` ({problem}): "
        "is it running there?"
    )
