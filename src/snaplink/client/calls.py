"""What can be asked of the server, written once for both clients."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import httpx
import numpy as np

from snaplink.errors import (
    ArgumentError,
    BusyError,
    PictureError,
    RefusedError,
    ServerError,
    UnreachableError,
)
from snaplink.prediction import Prediction

from . import answers
from .answers import Matrix, SearchHit, SearchResult, ServedModel, StoreFacts
from .exchange import Pause, Request, Talk, exchange
from .failures import failure
from .parcels import Input, Parcel, halves, named_in, of_pictures, of_texts, parcels
from .pictures import AnyPicture, as_url, path_of, several
from .server import Server

__all__ = [
    "classify",
    "embed",
    "models",
    "next_page",
    "picture",
    "question",
    "ready",
    "search",
    "store",
    "wait_until_ready",
]

Read = TypeVar("Read")

_TOO_MUCH = {408, 413, 504}
"""A request that did not arrive in time, or is too large, or was not answered in time."""

_LOOK_AGAIN = 0.2
"""Seconds between two looks at whether the server is ready."""


def embed(server: Server, inputs: Iterable[Input], **options: object) -> Talk[Matrix]:
    """Texts or pictures to vectors, float32 ``[n, dim]``."""

    def request(parcel: Parcel) -> Request:
        body = {"input": [each.part for each in parcel], "encoding_format": "base64", **options}
        return Request("POST", "v1/embeddings", server.with_model(body))

    parts = []
    for parcel in parcels(inputs, server.most):
        parts += yield from _sent(server, parcel, request, answers.embeddings)
    if not parts:
        model, *_ = yield from models(server)
        return np.empty((0, model.dim), np.float32)
    return np.concatenate(parts)


def classify(
    server: Server,
    pictures: AnyPicture | Iterable[AnyPicture],
    labels: Sequence[str],
    templates: Sequence[str] | None,
    top: int | None,
) -> Talk[list[Prediction]]:
    """Pictures to labels, the best first."""
    asked: dict[str, Any] = {"labels": _list("labels", labels)}
    if top is not None:
        asked["top"] = top
    if templates is not None:
        asked["templates"] = _list("templates", templates)

    def request(parcel: Parcel) -> Request:
        body = {"pictures": [each.value for each in parcel], **asked}
        return Request("POST", "v1/classify", server.with_model(body))

    predictions: list[Prediction] = []
    for parcel in parcels(of_pictures(pictures), server.most):
        answered = yield from _sent(server, parcel, request, answers.scores)
        rows = [row for rows in answered for row in rows]
        predictions += [Prediction(each.path, row) for each, row in zip(parcel, rows, strict=True)]
    return predictions


def question(
    words: str | Sequence[str] | None,
    not_: str | Sequence[str] | None,
    also: Mapping[str, float] | None,
    image: AnyPicture | Sequence[AnyPicture] | None,
    like: str | SearchHit | Sequence[str | SearchHit] | None,
    **options: object,
) -> dict[str, Any]:
    """A search as `/v1/search` takes it; options that are None are left out.

    >>> question("a red car", "a van", None, None, None, top=3, where=None)
    {'query': [{'text': 'a red car'}, {'text': 'a van', 'weight': -1.0}], 'top': 3}
    """
    parts: list[dict[str, Any]] = [{"text": each.value} for each in of_texts(words or [])]
    parts += [{"text": each.value, "weight": -1.0} for each in of_texts(not_ or [])]
    parts += [{"text": text, "weight": float(weight)} for text, weight in (also or {}).items()]
    pictures = [] if image is None else several(image)
    for place, each in enumerate(pictures):
        parts.append({"image": as_url(each, path_of(each) or f"picture {place}")})
    liked = [like] if isinstance(like, str | SearchHit) else like or []
    parts += [{"id": each.id if isinstance(each, SearchHit) else each} for each in liked]
    given = {name: value for name, value in options.items() if value is not None}
    return {"query": parts, **given}


def search(server: Server, asked: Mapping[str, Any]) -> Talk[SearchResult]:
    """A page of hits.

    Raises:
        PictureError: the server refuses a picture that hits are to be like.
    """
    try:
        answer = yield from exchange(server, Request("POST", "v1/search", server.with_model(asked)))
    except RefusedError as error:
        refused = _refused_picture(error, asked)
        raise refused or error from None
    return answers.search_result(answer, asked)


def _refused_picture(error: RefusedError, asked: Mapping[str, Any]) -> PictureError | None:
    """The server's complaint of a picture that was searched by, if it is of one."""
    for place, part in enumerate(asked["query"]):
        if "image" in part and error.param == f"query[{place}]":
            problem = error.problem.removeprefix(error.param).lstrip(": ")
            return PictureError("the picture to search by", problem)
    return None


def next_page(server: Server, found: SearchResult) -> Talk[SearchResult | None]:
    """The hits after these, of the same state of the store; None if there are no more."""
    if not found.more or not found.hits:
        return None
    place = {"offset": found.offset + len(found), "snapshot": found.snapshot}
    after = {**found.question, **place}
    return (yield from search(server, after))


def models(server: Server) -> Talk[list[ServedModel]]:
    """What is served."""
    return answers.models((yield from exchange(server, Request("GET", "v1/models"))))


def store(server: Server) -> Talk[StoreFacts]:
    """The store that is served."""
    return answers.store_facts((yield from exchange(server, Request("GET", "v1/store"))))


def picture(server: Server, hit: str | SearchHit, side: int | None = None) -> Talk[bytes]:
    """A picture's file; with `side`, a small copy."""
    name = hit.id if isinstance(hit, SearchHit) else hit
    path = f"v1/pictures/{name}"
    request = Request("GET", f"{path}/thumbnail", parameters={"side": side}) if side else None
    answer = yield from exchange(server, request or Request("GET", path))
    return answer.content


def ready(server: Server, within: float | None = None) -> Talk[bool]:
    """Whether the server can answer, looked at once, in this many seconds."""
    try:
        yield from _ready(server, within)
    except (BusyError, UnreachableError):
        return False
    return True


def wait_until_ready(server: Server, seconds: float) -> Talk[None]:
    """Look again and again until the server can answer, or raise why it cannot."""
    end = time.monotonic() + seconds
    while True:
        try:
            return (yield from _ready(server, max(end - time.monotonic(), _LOOK_AGAIN)))
        except (BusyError, UnreachableError) as error:
            if time.monotonic() + _LOOK_AGAIN > end:
                message = f"not ready within {seconds:g} s: {error}"
                raise type(error)(message, status=error.status, code=error.code) from None
        yield Pause(_LOOK_AGAIN)


def _ready(server: Server, within: float | None) -> Talk[None]:
    """Return if the server is ready, and raise if not, after one look."""
    timeout = min(within or server.timeout, server.timeout)
    outcome = yield Request("GET", "readyz", timeout=timeout)
    server.reached |= isinstance(outcome, httpx.Response)
    if not isinstance(outcome, httpx.Response) or not outcome.is_success:
        raise failure(server.url, "readyz", outcome, timeout, tries=1)


def _list(name: str, texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        raise ArgumentError(f"{name} are one text, {texts!r}: give a list of them")
    return list(texts)


def _sent(
    server: Server,
    parcel: Parcel,
    request: Callable[[Parcel], Request],
    read: Callable[[httpx.Response, int], Read],
) -> Talk[list[Read]]:
    """A parcel's results, in one piece, or in more where that is too much at once.

    Raises:
        PictureError: the server refuses one of the pictures.
        ServerError: it refuses all of it.
    """
    try:
        answer = yield from exchange(server, request(parcel))
        return [read(answer, len(parcel))]
    except (BusyError, RefusedError) as error:
        refused = _refused(error, parcel)
    if refused is not None:
        raise refused
    server.most.inputs = min(server.most.inputs, (len(parcel) + 1) // 2)
    results = []
    for half in halves(parcel):
        results += yield from _sent(server, half, request, read)
    return results


def _refused(error: ServerError, parcel: Parcel) -> PictureError | ServerError | None:
    """What the caller is told; None if the server may do with less at once."""
    named = named_in(error, parcel)
    if named is not None:
        return named.refused(error)
    return None if error.status in _TOO_MUCH and len(parcel) > 1 else error
