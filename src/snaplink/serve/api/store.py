"""What the served store is."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from snaplink.serve.answers import problems
from snaplink.serve.connection import while_connected
from snaplink.serve.served import ready_inference
from snaplink.serve.shelf import Shelf

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["search"])


class Value(BaseModel):
    """A value that rows have."""

    value: bool | int | float | str
    count: int = Field(description="How many.")


class Column(BaseModel):
    """A column that conditions may name."""

    name: str
    type: str = Field(description="number, text, boolean, time or other")
    values: list[Value] | None = Field(description="All, where they are few; else null.")
    min: Any = None
    max: Any = None


_EXAMPLE: dict[str, Any] = {
    "name": "photos.store",
    "rows": 100000,
    "model": "ViT-B/32",
    "dim": 512,
    "modalities": ["image"],
    "snapshot": "6c2f0b1d9e8a7354",
    "demo": False,
    "indexed": True,
    "columns": [
        {"name": "width", "type": "number", "values": None, "min": 64, "max": 6000},
        {"name": "set", "type": "text", "values": [{"value": "noto", "count": 24}]},
    ],
}


class StoreFacts(BaseModel):
    """The served store."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str
    rows: int
    model: str
    dim: int
    modalities: list[str]
    snapshot: str = Field(description="Changes whenever rows change.")
    demo: bool = Field(description="Whether these are the example pictures.")
    indexed: bool
    columns: list[Column]


@router.get(
    "/store",
    response_model=StoreFacts,
    responses=problems(401, 429, 503, 504),
    summary="What the store is, and its columns",
)
async def store(request: Request) -> dict[str, Any]:
    ready_inference(request)
    shelf: Shelf = request.app.state.shelf
    return await while_connected(request, shelf.facts())
