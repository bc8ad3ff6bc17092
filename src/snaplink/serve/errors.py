"""What goes wrong with a request, and the answer that tells its sender."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from clip.errors import TextTooLongError
from snaplink.errors import ArgumentError, PictureError, StoreError

__all__ = [
    "Answer",
    "ApiError",
    "NotAPicture",
    "NotReady",
    "Overloaded",
    "PictureTooLarge",
    "TimedOut",
    "answer",
]

_CODES = {
    400: "invalid_request",
    401: "invalid_api_key",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    410: "gone",
    413: "too_large",
    415: "unsupported_media",
    422: "unprocessable",
    429: "overloaded",
    431: "headers_too_large",
    500: "internal_error",
    503: "not_ready",
    504: "timeout",
}

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """A request that cannot be answered as it wished.

    Args:
        status: of the answer.
        message: what is wrong, where, and what to do next.
        param: the part of the request that is meant, such as ``input[2]``.
        code: a word for programs; by default the status's.
        headers: further ones of the answer.

    >>> ApiError(404, "there is no such model", param="model").code
    'not_found'
    """

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code or _CODES[status]
        self.headers = dict(headers or {})


class Overloaded(ApiError):  # noqa: N818
    """More is waiting than the queue may hold.

    Args:
        retry_after: seconds after which there may be room.
    """

    def __init__(self, retry_after: float = 1.0) -> None:
        super().__init__(
            429,
            "the server has as much to do as it accepts: ask again later (see Retry-After)",
            headers=_retry_after(retry_after),
        )


class TimedOut(ApiError):  # noqa: N818
    """The answer was not ready within the time limit.

    Args:
        limit: that limit, in seconds.
    """

    def __init__(self, limit: float) -> None:
        message = f"the answer was not ready within {limit:g} s: send less at once, or ask again"
        super().__init__(504, message)


class NotReady(ApiError):  # noqa: N818
    """The model is still being loaded, or the server is about to end."""

    def __init__(self, reason: str, retry_after: float = 1.0) -> None:
        super().__init__(503, reason, headers=_retry_after(retry_after))


class NotAPicture(PictureError):  # noqa: N818
    """Bytes that are no picture of a format that is read here."""


class PictureTooLarge(PictureError):  # noqa: N818
    """A picture of more bytes or pixels than are accepted."""


@dataclass(frozen=True)
class Answer:
    """An answer that says what is wrong, in OpenAI's form."""

    status: int
    body: bytes
    headers: dict[str, str]


def answer(error: Exception) -> Answer:
    """The answer for an error that the request's sender can do something about; 500 for others."""
    known = _as_api_error(error)
    said = {
        "message": known.message,
        "type": _type(known.status),
        "param": known.param,
        "code": known.code,
    }
    headers = {"content-type": "application/json", **known.headers}
    return Answer(known.status, json.dumps({"error": said}).encode(), headers)


def _as_api_error(error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, PictureError):
        return ApiError(_picture_status(error), str(error), error.picture)
    if isinstance(error, TextTooLongError):
        return ApiError(400, str(error), code="context_length_exceeded")
    if isinstance(error, ArgumentError):
        return ApiError(400, str(error))
    if isinstance(error, StoreError):
        return ApiError(503, str(error), code="store_unusable")
    return ApiError(500, "a mistake of the server's own, which its log describes")


def _picture_status(error: PictureError) -> int:
    if isinstance(error, PictureTooLarge):
        return 413
    return 415 if isinstance(error, NotAPicture) else 422


def _type(status: int) -> str:
    return _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, ceil(seconds)))}
