"""What the server answers, as Python has it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

from snaplink.prediction import Score

from .failures import not_understood

__all__ = [
    "Matrix",
    "SearchHit",
    "SearchResult",
    "ServedModel",
    "StoreColumn",
    "StoreFacts",
    "embeddings",
    "models",
    "scores",
    "search_result",
    "store_facts",
]

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ServedModel:
    """The model behind the server.

    Attributes:
        id: its name.
        dim: the length of its vectors.
        resolution: the side, in pixels, of what it looks at.
        context_length: of texts, in tokens.
        precision: what it runs in.
        weights_sha256: the hash by which its weights are known.
    """

    id: str
    dim: int
    resolution: int
    context_length: int
    precision: str
    weights_sha256: str


@dataclass(frozen=True)
class StoreColumn:
    """A column that a search can be narrowed down by.

    Attributes:
        name: as SQL has it.
        type: "number", "text", "boolean" or "time".
        values: the values, each with the number of its rows, if they are few; else None.
        smallest: of numbers and times; None for others.
        largest: likewise.
    """

    name: str
    type: str
    values: tuple[tuple[object, int], ...] | None
    smallest: object
    largest: object


@dataclass(frozen=True)
class StoreFacts:
    """The store that is served.

    Attributes:
        name: of its directory.
        rows: their number.
        model: that made its vectors.
        dim: their length.
        modalities: of "image" and "text".
        snapshot: another one whenever the rows have changed.
        demo: whether it is the example pictures, as no store was named.
        indexed: whether an index answers.
        columns: to narrow a search down by.
    """

    name: str
    rows: int
    model: str
    dim: int
    modalities: tuple[str, ...]
    snapshot: str
    demo: bool
    indexed: bool
    columns: tuple[StoreColumn, ...]


@dataclass(frozen=True)
class SearchHit:
    """A picture that was found.

    Attributes:
        id: by which the server gives the picture, until the store changes.
        position: its row in the store.
        key: its key in the store.
        source: where the picture is, if the key does not say so; else None.
        score: the cosine with what was asked for, from -1 to 1; None where nothing was asked for.
        width: in pixels; None if it is not known.
        height: likewise.
        caption: None without one.
        metadata: the store's other columns.
    """

    id: str
    position: int
    key: str
    source: str | None
    score: float | None
    width: int | None
    height: int | None
    caption: str | None
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class SearchResult:
    """A page of hits, the best first. Iterate over it, count it, take one by its place.

    Attributes:
        hits: of this page.
        offset: how many come before them.
        more: whether others come after them.
        total: how many rows may be found at all.
        took_ms: the server's time.
        model: that understood the question.
        rows: in the store.
        snapshot: of the store (see `StoreFacts`).
        question: what was asked, as it was sent.
    """

    hits: tuple[SearchHit, ...]
    offset: int
    more: bool
    total: int
    took_ms: float
    model: str
    rows: int
    snapshot: str
    question: Mapping[str, Any] = field(repr=False)

    def __iter__(self) -> Iterator[SearchHit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, place: int) -> SearchHit:
        return self.hits[place]


def embeddings(answer: httpx.Response, count: int) -> Matrix:
    """The vectors of `/v1/embeddings`, which were asked for in base64.

    Returns:
        float32 ``[count, dim]``, in the order of the inputs.
    """
    with _understood(answer) as said:
        rows = [row["embedding"] for row in _in_order(said["data"], count)]
        vectors = [np.frombuffer(base64.b64decode(row), dtype="<f4") for row in rows]
        return np.stack(vectors).astype(np.float32)


def scores(answer: httpx.Response, count: int) -> list[tuple[Score, ...]]:
    """The labels of `/v1/classify` for each of `count` pictures, the best first."""
    with _understood(answer) as said:
        return [
            tuple(Score(str(each["label"]), float(each["score"])) for each in row["scores"])
            for row in _in_order(said["data"], count)
        ]


def search_result(answer: httpx.Response, question: Mapping[str, Any]) -> SearchResult:
    """A page of `/v1/search`."""
    with _understood(answer) as said:
        return SearchResult(
            hits=tuple(_hit(row) for row in said["data"]),
            offset=int(said["offset"]),
            more=bool(said["more"]),
            total=int(said["total"]),
            took_ms=float(said["took_ms"]),
            model=said["model"],
            rows=int(said["store"]["rows"]),
            snapshot=said["store"]["snapshot"],
            question=question,
        )


def models(answer: httpx.Response) -> list[ServedModel]:
    """The models of `/v1/models`."""
    names = ServedModel.__dataclass_fields__
    with _understood(answer) as said:
        return [ServedModel(**{name: model[name] for name in names}) for model in said["data"]]


def store_facts(answer: httpx.Response) -> StoreFacts:
    """What `/v1/store` says."""
    names = StoreFacts.__dataclass_fields__
    with _understood(answer) as said:
        facts = {name: said[name] for name in names}
        facts["modalities"] = tuple(said["modalities"])
        facts["columns"] = tuple(_column(column) for column in said["columns"])
        return StoreFacts(**facts)


def _hit(row: Mapping[str, Any]) -> SearchHit:
    return SearchHit(
        id=str(row["id"]),
        position=int(row["position"]),
        key=row["key"],
        source=row["source"],
        score=row["score"],
        width=row["width"],
        height=row["height"],
        caption=row["caption"],
        metadata=row["metadata"],
    )


def _column(column: Mapping[str, Any]) -> StoreColumn:
    values = column["values"]
    counted = None if values is None else tuple((each["value"], each["count"]) for each in values)
    return StoreColumn(column["name"], column["type"], counted, column["min"], column["max"])


def _in_order(rows: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    rows = sorted(rows, key=lambda row: int(row["index"]))
    if [row["index"] for row in rows] != list(range(count)):
        raise ValueError(f"{len(rows)} results for {count} inputs")
    return rows


@contextmanager
def _understood(answer: httpx.Response) -> Iterator[Any]:
    """The JSON of an answer; what is not in it as an `AnswerError`."""
    try:
        yield answer.json()
    except KeyError as missing:
        raise not_understood(answer.url, f"there is no {missing}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise not_understood(answer.url, error) from None
