"""The store's pictures, by id, always re-encoded."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from snaplink.serve.answers import problems
from snaplink.serve.connection import while_connected
from snaplink.serve.served import ready_inference
from snaplink.serve.shelf import Shelf

__all__ = ["router"]

router = APIRouter(prefix="/v1/pictures", tags=["search"])

_LARGEST = 2048
_ID = "6c2f0b1d9e8a7354-12"
_BYTES = {"schema": {"type": "string", "format": "binary"}, "example": "the bytes of a file"}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The picture.",
        "content": {"image/webp": _BYTES, "image/jpeg": _BYTES},
    },
    304: {"description": "The picture is the one that the client has."},
    **problems(400, 401, 404, 410, 422, 429, 503, 504),
}

Id = Annotated[str, Path(max_length=100, description="As search gives it.", examples=[_ID])]


@router.get(
    "/{id}/thumbnail",
    response_class=Response,
    responses=_RESPONSES,
    summary="A small copy of a picture",
)
async def thumbnail(
    request: Request,
    id: Id,
    side: Annotated[
        int, Query(ge=64, le=512, description="Of the square, in pixels.", examples=[256])
    ] = 256,
) -> Response:
    return await _picture(request, id, side)


@router.get(
    "/{id}", response_class=Response, responses=_RESPONSES, summary="A picture, within 2048 pixels"
)
async def picture(request: Request, id: Id) -> Response:
    return await _picture(request, id, _LARGEST)


async def _picture(request: Request, name: str, side: int) -> Response:
    ready_inference(request)
    shelf: Shelf = request.app.state.shelf
    shelf.located(name)
    # An id names one state of one row: what it shows never changes.
    headers = {
        "ETag": f'"{name}-{side}"',
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    content, kind = await while_connected(request, shelf.picture(name, side))
    return Response(content, media_type=kind, headers=headers)
