"""Errors to answers, wherever they come from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .connection import ClientGone
from .errors import ApiError, answer

__all__ = ["Refusals", "not_routed", "of_wrong_form", "wrong_form"]

_logger = logging.getLogger("snaplink.serve")

_WHOLE_NUMBER = "this is to be a whole number"
_NUMBER = "this is to be a number"
_TRUE_OR_FALSE = "this is to be true or false"
_OBJECT = "this is to be an object"
_ONE_OF = "this is to be {expected}"
_PROBLEMS = {
    "bool_parsing": _TRUE_OR_FALSE,
    "bool_type": _TRUE_OR_FALSE,
    "enum": _ONE_OF,
    "extra_forbidden": "there is no such field; /openapi.json lists all",
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "greater_than_equal": "this is to be at least {ge:,.15g}",
    "int_from_float": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_type": _WHOLE_NUMBER,
    "less_than_equal": "this is to be at most {le:,.15g}",
    "list_type": "this is to be a list",
    "literal_error": _ONE_OF,
    "missing": "this field is needed",
    "model_attributes_type": _OBJECT,
    "model_type": _OBJECT,
    "string_too_long": "give at most {max_length:,} characters",
    "string_type": "this is to be a text",
    "too_long": "give at most {max_length:,}, not {actual_length:,}",
    "too_short": "give at least {min_length:,}, not {actual_length:,}",
}
"""What pydantic finds, by its name for it, in our words; its context fills the places."""


class Refusals:
    """ASGI: answers whatever goes wrong further in; what is nobody's mistake but ours is logged."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientGone:
            pass
        except Exception as error:
            said = answer(error)
            if said.status == 500:
                facts = {"id": scope.get("request_id")}
                _logger.exception("a request failed", extra={"facts": facts})
            if begun:
                raise
            await Response(said.body, said.status, said.headers)(scope, receive, send)


async def not_routed(request: Request, error: Exception) -> Response:
    """The answer where no route fits."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        raise ApiError(404, "there is nothing at this path: /openapi.json lists what there is")
    if error.status_code == 405:
        allowed = ", ".join(_methods(request))
        message = f"this path does not take {request.method[:20]}, but {allowed}"
        raise ApiError(405, message, headers={"Allow": allowed})
    raise ApiError(error.status_code, str(error.detail), code="refused")


def _methods(request: Request) -> list[str]:
    """What the path takes, from all of its routes."""
    app: FastAPI = request.app
    taken = [
        method
        for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in app.routes
        )
    ]
    return [*taken, *(["HEAD"] if "GET" in taken else [])]


async def of_wrong_form(request: Request, error: Exception) -> Response:
    """The answer to a body or query that is not as the document says."""
    assert isinstance(error, RequestValidationError)
    raise _told(error.errors(), skip=1) from None  # the first word is "body" or "query"


def wrong_form(error: ValidationError) -> ApiError:
    """The same for a body that a route has read by itself."""
    return _told(error.errors(include_url=False), skip=0)


def _told(errors: Sequence[Any], skip: int) -> ApiError:
    first = errors[0]
    param = ""
    for place in first["loc"][skip:]:
        param += f"[{place}]" if isinstance(place, int) else f".{place}"
    param = param.lstrip(".")[:100]
    return ApiError(422, f"{param or 'the body'}: {_problem(first)}", param or None)


def _problem(found: Any) -> str:
    words = _PROBLEMS.get(found["type"])
    return words.format_map(found.get("ctx", {})) if words else found["msg"][:300]
