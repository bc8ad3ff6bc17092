"""A browser shows the token once, and is known by a cookie from then on."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from snaplink.serve.answers import problems
from snaplink.serve.bodies import Route
from snaplink.serve.errors import ApiError
from snaplink.serve.security import Session

__all__ = ["router"]

router = APIRouter(tags=["session"], route_class=Route)


class Opening(BaseModel):
    """What opens a session."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"token": "what snaplink serve printed"}]},
    )

    token: str = Field(description="The server's token.", max_length=1000)


@router.post(
    "/session",
    status_code=204,
    response_class=Response,
    responses=problems(401, 408, 413, 415, 422, 429),
    summary="Show the token, for a cookie",
)
async def open_session(request: Request, opening: Opening) -> Response:
    session: Session = request.app.state.session
    if not session.opens(opening.token):
        raise ApiError(401, "the token is not this server's", "token")
    answer = Response(status_code=204)
    if session.needed:
        answer.set_cookie(
            session.cookie,
            session.proof,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
    return answer


@router.delete(
    "/session", status_code=204, response_class=Response, summary="Forget this browser's cookie"
)
async def close_session(request: Request) -> Response:
    session: Session = request.app.state.session
    answer = Response(status_code=204)
    answer.delete_cookie(session.cookie, httponly=True, samesite="strict")
    return answer
