"""Is the server there, is it ready, and how is it doing?"""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from snaplink.serve.answers import problems
from snaplink.serve.metrics import CONTENT_TYPE, Metrics
from snaplink.serve.readiness import Readiness

__all__ = ["router"]

router = APIRouter(tags=["health"])


_TEXT = {"schema": {"type": "string"}, "example": "snaplink_requests_in_flight 1.0"}


class Alive(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """The model is loaded, and the store is open."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ready"}]})

    status: Literal["ready"] = "ready"


@router.get("/healthz", response_model=Alive, summary="Is the process alive?")
async def healthz() -> Response:
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.get(
    "/readyz",
    response_model=Ready,
    responses=problems(503),
    summary="Can requests be answered now?",
)
async def readyz(request: Request) -> Response:
    readiness: Readiness = request.app.state.readiness
    readiness.check()
    return Response(b'{"status":"ready"}', media_type="application/json")


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": _TEXT}}, **problems(401)},
    summary="Counts and times, for Prometheus",
)
async def metrics(request: Request) -> Response:
    found: Metrics = request.app.state.metrics
    return Response(found.text(), headers={"Content-Type": CONTENT_TYPE})
