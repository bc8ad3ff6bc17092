"""Search in the store, by words, pictures, rows, and conditions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from snaplink.search import NEAR_DUPLICATE
from snaplink.serve.answers import problems
from snaplink.serve.bodies import Route
from snaplink.serve.columns import HIDDEN, plain_value
from snaplink.serve.connection import while_connected
from snaplink.serve.errors import ApiError
from snaplink.serve.inputs import check_text, from_picture
from snaplink.serve.served import check_model, ready_inference
from snaplink.serve.settings import Settings
from snaplink.serve.shelf import Part, Shelf
from snaplink.serve.standing import Page, Standing, Wish

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["search"], route_class=Route)

_PROBLEMS = problems(400, 401, 404, 408, 410, 413, 415, 422, 429, 503, 504)
_PARTS = 32
_FARTHEST = 1_000_000_000
_OWN = HIDDEN | {"key", "width", "height", "caption"}

Top = Annotated[int, Field(ge=1, le=1000, description="How many rows, at most.", examples=[50])]
Offset = Annotated[
    int, Field(ge=0, le=_FARTHEST, description="How many to leave out first.", examples=[0])
]
Where = Annotated[
    str | None,
    Field(
        max_length=4000,
        description="An SQL expression over the columns that must hold.",
        examples=["width >= 64 and key like '%.png'"],
    ),
]
Threshold = Annotated[
    float | None, Field(ge=-1, le=1, description="The least score.", examples=[0.2])
]
Modality = Annotated[
    Literal["image", "text"] | None,
    Field(description="Whose vectors are searched.", examples=["image"]),
]
Dedupe = Annotated[bool, Field(description="Of near-duplicates, only the best.", examples=[True])]

Snapshot = Annotated[
    str | None,
    Field(
        max_length=100,
        description="As an answer had it: its further pages then join, though rows are added.",
        examples=["6c2f0b1d9e8a7354"],
    ),
]


class QueryPart(BaseModel):
    """One of `text`, `image` and `id`, and how much it counts."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str | None = Field(None, description="Words.")
    image: str | None = Field(None, description="A picture, as a data URL or base64.")
    id: str | None = Field(None, description="The id of a row that was found.", max_length=100)
    weight: float = Field(1.0, ge=-1000, le=1000, description="Below 0: what is not wanted.")


class SearchRequest(BaseModel):
    """What is searched for; with an empty `query`, the store is looked through in its order."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"query": [{"text": "a clock"}], "top": 10},
                {"query": [{"text": "a fruit"}, {"text": "red", "weight": -0.5}]},
                {"query": [], "offset": 20, "where": "width >= 64"},
            ]
        },
    )

    query: list[QueryPart] = Field(default_factory=list, max_length=_PARTS)
    top: Top = 50
    offset: Offset = 0
    where: Where = None
    threshold: Threshold = None
    modality: Modality = None
    dedupe: Dedupe = False
    snapshot: Snapshot = None
    model: str | None = Field(None, description="The model's name; it may be left out.")


class Found(BaseModel):
    """A row that was found."""

    id: str
    position: int
    key: str
    source: str | None = Field(description="Where the picture is, if the key does not say so.")
    score: float | None = Field(description="A cosine; null where nothing was searched for.")
    width: int | None
    height: int | None
    caption: str | None
    metadata: dict[str, Any]
    thumbnail: str
    picture: str


class StoreState(BaseModel):
    rows: int
    snapshot: str


_EXAMPLE: dict[str, Any] = {
    "object": "list",
    "model": "tiny",
    "store": {"rows": 396, "snapshot": "6c2f0b1d9e8a7354"},
    "took_ms": 4.2,
    "offset": 0,
    "more": True,
    "total": 396,
    "data": [
        {
            "id": "6c2f0b1d9e8a7354-12",
            "position": 12,
            "key": "clock-noto.png",
            "source": "/pictures/clock-noto.png",
            "score": 0.31,
            "width": 64,
            "height": 64,
            "caption": "a clock",
            "metadata": {"set": "noto"},
            "thumbnail": "/v1/pictures/6c2f0b1d9e8a7354-12/thumbnail",
            "picture": "/v1/pictures/6c2f0b1d9e8a7354-12",
        }
    ],
}


class SearchAnswer(BaseModel):
    """Rows, the best first."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    object: Literal["list"] = "list"
    model: str
    store: StoreState
    took_ms: float
    offset: int
    more: bool = Field(description="Whether others follow.")
    total: int = Field(description="How many rows may be found: those for which `where` holds.")
    data: list[Found]


@router.post(
    "/search", response_model=SearchAnswer, responses=_PROBLEMS, summary="Search in the store"
)
async def search(request: Request, asked: SearchRequest) -> SearchAnswer:
    settings: Settings = request.app.state.settings
    parts = [_part(part, f"query[{number}]", settings) for number, part in enumerate(asked.query)]
    return await _answer(request, parts, asked)


@router.get(
    "/search",
    response_model=SearchAnswer,
    responses=_PROBLEMS,
    summary="Search in the store, by an address",
)
async def search_by_address(
    request: Request,
    q: Annotated[
        list[str], Query(max_length=_PARTS, description="Words.", examples=[["a clock"]])
    ] = [],  # noqa: B006
    not_: Annotated[
        list[str],
        Query(
            alias="not",
            max_length=_PARTS,
            description="Words that are not wanted.",
            examples=[["a face"]],
        ),
    ] = [],  # noqa: B006
    like: Annotated[
        list[str],
        Query(max_length=_PARTS, description="Ids of rows.", examples=[["6c2f0b1d9e8a7354-12"]]),
    ] = [],  # noqa: B006
    top: Top = 50,
    offset: Offset = 0,
    where: Where = None,
    threshold: Threshold = None,
    modality: Modality = None,
    dedupe: Dedupe = False,
    snapshot: Snapshot = None,
) -> SearchAnswer:
    settings: Settings = request.app.state.settings
    parts = [Part(text=_checked(text, "q", settings), name="q") for text in q]
    parts += [Part(text=_checked(text, "not", settings), weight=-1, name="not") for text in not_]
    parts += [Part(id=name, name="like") for name in like]
    asked = SearchRequest(
        top=top,
        offset=offset,
        where=where,
        threshold=threshold,
        modality=modality,
        dedupe=dedupe,
        snapshot=snapshot,
        model=None,
    )
    return await _answer(request, parts, asked)


def _part(part: QueryPart, name: str, settings: Settings) -> Part:
    given = [value for value in (part.text, part.image, part.id) if value is not None]
    if len(given) != 1:
        raise ApiError(422, f"{name} is to have one of text, image and id", name)
    if part.text is not None:
        return Part(text=_checked(part.text, name, settings), weight=part.weight, name=name)
    if part.image is not None:
        picture = from_picture(part.image, name, settings)
        return Part(picture=picture, weight=part.weight, name=name)
    return Part(id=part.id, weight=part.weight, name=name)


def _checked(text: str, name: str, settings: Settings) -> str:
    if not text.strip():
        raise ApiError(400, f"{name}: the words to search for are empty", name)
    return check_text(text, name, settings)


async def _answer(request: Request, parts: Sequence[Part], asked: SearchRequest) -> SearchAnswer:
    started = time.perf_counter()
    model = check_model(asked.model, ready_inference(request))
    shelf: Shelf = request.app.state.shelf
    wish = Wish(
        asked.top,
        asked.offset,
        asked.where if asked.where and asked.where.strip() else None,
        asked.threshold,
        asked.modality,
        NEAR_DUPLICATE if asked.dedupe else None,
    )
    standing, page = await while_connected(request, shelf.search(parts, wish, asked.snapshot))
    return SearchAnswer(
        model=model,
        store=StoreState(rows=len(standing), snapshot=standing.snapshot),
        took_ms=round(1000 * (time.perf_counter() - started), 3),
        offset=asked.offset,
        more=page.more,
        total=page.total,
        data=_found(standing, page),
    )


def _found(standing: Standing, page: Page) -> list[Found]:
    scores: Sequence[float | None] = page.scores or [None] * len(page.positions)
    return [
        _hit(f"{standing.snapshot}-{position}", position, score, row)
        for position, score, row in zip(page.positions, scores, page.rows, strict=True)
    ]


def _hit(name: str, position: int, score: float | None, row: dict[str, Any]) -> Found:
    return Found(
        id=name,
        position=position,
        key=row["key"],
        source=row["source"] if row["source"] != row["key"] else None,
        score=score,
        width=row["width"],
        height=row["height"],
        caption=row["caption"],
        metadata={
            column: plain_value(value)
            for column, value in row.items()
            if column not in _OWN and value is not None
        },
        thumbnail=f"/v1/pictures/{name}/thumbnail",
        picture=f"/v1/pictures/{name}",
    )
