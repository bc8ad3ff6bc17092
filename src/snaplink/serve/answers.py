"""Answers as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Problem", "ProblemAnswer", "problems"]


_PROBLEM: dict[str, Any] = {
    "message": "input[2]: no picture (it begins with b'hello'): send a JPEG, PNG, WebP …",
    "type": "invalid_request_error",
    "param": "input[2]",
    "code": "unsupported_media",
}


class Problem(BaseModel):
    """What is wrong with a request."""

    message: str = Field(description="What is wrong, where, and what to do next.")
    type: str = Field(description="The kind of mistake, as OpenAI names it.")
    param: str | None = Field(description="The part of the request that is meant.")
    code: str | None = Field(description="A word for programs.")


class ProblemAnswer(BaseModel):
    """Every answer that is not what was asked for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"error": _PROBLEM}]})

    error: Problem


_MEANINGS = {
    400: "The request is malformed, or cannot be done.",
    401: "The server's token is missing, or is another.",
    403: "The host's name is unknown, or another site's page asks.",
    404: "There is no such thing here.",
    408: "The request took too long to arrive.",
    410: "The store has changed: that id is of an older state.",
    413: "Too large: the body, a picture (bytes or pixels), or the number of inputs.",
    415: "No picture, or a body of another type.",
    422: "A picture that is damaged, or a body of the wrong form.",
    429: "The server has as much to do as it accepts: ask again after Retry-After seconds.",
    500: "A mistake of the server's own.",
    503: "Not ready, or about to end: ask again after Retry-After seconds.",
    504: "The answer was not ready within the time limit.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers of these statuses, for the `responses` of a route."""
    return {
        status: {"model": ProblemAnswer, "description": _MEANINGS[status]} for status in statuses
    }
