"""The two clients: what they ask for is the same, how they wait is not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TypeVar

import httpx

from snaplink.prediction import Prediction

from . import calls
from .answers import Matrix, SearchHit, SearchResult, ServedModel, StoreFacts
from .exchange import Outcome, Pause, Request, Talk
from .parcels import of_pictures, of_texts
from .pictures import AnyPicture
from .server import DEFAULT_URL, server_at

__all__ = ["AsyncClient", "Client"]

Answer = TypeVar("Answer")


class Client:
    """A running `snaplink serve`, from Python.

    Whatever it is asked may be asked twice, so it asks again by itself where the server has too
    much to do, is not ready or cannot be reached: after as long as the server says, and after 0.1
    to 5 seconds, longer each time; `retries` times, about 40 seconds, so that a restart of the
    server goes unnoticed. Only a server that has never answered this client is given up after two
    retries. It may be used from several threads.

    Args:
        url: the server's address; that with ``#token=…`` which it prints is understood.
        token: what the server wants to be shown, if it wants that; by default the environment's
            SNAPLINK_TOKEN.
        model: refuse to talk to another model; by default, any will do.
        timeout: seconds for connecting, and as many without a byte of the answer.
        retries: how often a request is sent again, at most.
        transport: how requests are sent, for tests; by default over the network.

    Raises:
        ArgumentError: the address or the token cannot be used. Methods raise `ServerError`, whose
            kinds are at the top of `snaplink.errors`, and `PictureError` for a picture that cannot
            be read or that the server refuses.

    >>> import numpy as np
    >>> def answer(request):  # in the place of a server
    ...     row = {"index": 0, "embedding": "AACAPwAAAAA="}
    ...     return httpx.Response(200, json={"data": [row]})
    >>> with Client(transport=httpx.MockTransport(answer)) as server:
    ...     server.embed_texts(["a cat"])
    array([[1., 0.]], dtype=float32)
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        token: str | None = None,
        *,
        model: str | None = None,
        timeout: float = 60.0,
        retries: int = 12,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._server = server_at(url, token, model, timeout, retries)
        self._http = httpx.Client(transport=transport, **self._server.options)

    def __repr__(self) -> str:
        return f"Client({self._server.url!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; `with` does that by itself."""
        self._http.close()

    def embed_texts(self, texts: str | Iterable[str], *, truncate: bool = False) -> Matrix:
        """The vectors of texts.

        Args:
            texts: any number; they are sent in several requests if need be.
            truncate: cut what is longer than the model reads; by default that is refused.

        Returns:
            float32 ``[n, dim]``, rows of length 1, in the order of the texts.
        """
        options = {"truncate": True} if truncate else {}
        return self._run(calls.embed(self._server, of_texts(texts), **options))

    def embed_pictures(self, pictures: AnyPicture | Iterable[AnyPicture]) -> Matrix:
        """The vectors of pictures.

        Args:
            pictures: paths, files' bytes or PIL pictures, any number; each is read when its turn
                comes, and they are sent in several requests if need be.

        Returns:
            float32 ``[n, dim]``, rows of length 1, in the order of the pictures.
        """
        return self._run(calls.embed(self._server, of_pictures(pictures)))

    def classify(
        self,
        pictures: AnyPicture | Iterable[AnyPicture],
        labels: Sequence[str],
        templates: Sequence[str] | None = None,
        *,
        top: int | None = None,
    ) -> list[Prediction]:
        """Which of some labels fits each picture.

        Args:
            pictures: as `embed_pictures` takes them.
            labels: at least two.
            templates: prompts with ``{}`` where a label goes; by default the server's.
            top: only so many labels a picture, the best; by default all.
        """
        return self._run(calls.classify(self._server, pictures, labels, templates, top))

    def search(
        self,
        words: str | Sequence[str] | None = None,
        *,
        not_: str | Sequence[str] | None = None,
        also: Mapping[str, float] | None = None,
        image: AnyPicture | Sequence[AnyPicture] | None = None,
        like: str | SearchHit | Sequence[str | SearchHit] | None = None,
        top: int = 50,
        offset: int = 0,
        where: str | None = None,
        threshold: float | None = None,
        modality: str | None = None,
        dedupe: bool = False,
    ) -> SearchResult:
        """Find pictures in the server's store; with nothing asked for, browse in its order.

        Args:
            words: what the pictures show; of several, all of it.
            not_: what they do not show.
            also: further words, with their weights.
            image: pictures that they are like, as `embed_pictures` takes them.
            like: hits, or their ids, that they are like.
            top: how many to find at once.
            offset: how many of the best to leave out.
            where: a condition on the store's columns, in SQL.
            threshold: the least score.
            modality: "text" searches the captions, if the store has their vectors.
            dedupe: only the best of near-duplicates.
        """
        asked = calls.question(
            words, not_, also, image, like, top=top, offset=offset, where=where,
            threshold=threshold, modality=modality, dedupe=dedupe,
        )  # fmt: skip
        return self._run(calls.search(self._server, asked))

    def pages(self, found: SearchResult) -> Iterator[SearchResult]:
        """These hits, and then page by page those after them, until there are no more.

        Pages join also while rows are added to the store; once it has changed several times since
        the first page, the server refuses (`RefusedError`, status 410), and a new search is due.
        """
        page: SearchResult | None = found
        while page is not None:
            yield page
            page = self._run(calls.next_page(self._server, page))

    def models(self) -> list[ServedModel]:
        """What is served: one model."""
        return self._run(calls.models(self._server))

    def store(self) -> StoreFacts:
        """The store that is searched."""
        return self._run(calls.store(self._server))

    def picture(self, hit: str | SearchHit) -> bytes:
        """A picture of the store as a file's bytes, at most 2048 pixels wide and high.

        Args:
            hit: what a search found, or its id.
        """
        return self._run(calls.picture(self._server, hit))

    def thumbnail(self, hit: str | SearchHit, side: int = 256) -> bytes:
        """A small copy of a picture of the store as a file's bytes.

        Args:
            hit: what a search found, or its id.
            side: the longer one, from 64 to 512 pixels.
        """
        return self._run(calls.picture(self._server, hit, side))

    def ready(self) -> bool:
        """Whether the server is there and can answer; does not ask twice."""
        return self._run(calls.ready(self._server))

    def wait_until_ready(self, seconds: float = 60.0) -> None:
        """Return as soon as the server can answer.

        Raises:
            UnreachableError: it was not there in this time.
            BusyError: it was there, and not ready; the message has its reason.
        """
        self._run(calls.wait_until_ready(self._server, seconds))

    def _run(self, talk: Talk[Answer]) -> Answer:
        outcome: Outcome = None
        try:
            while True:
                step = talk.send(outcome)
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    outcome = None
                else:
                    outcome = self._send(step)
        except StopIteration as end:
            answer: Answer = end.value
            return answer

    def _send(self, request: Request) -> Outcome:
        try:
            return self._http.request(**request.arguments)
        except httpx.HTTPError as error:
            return error


class AsyncClient:
    """`Client` for asyncio: the same methods, to be awaited; `pages` is an async iterator.

    Many calls may be under way at once: the server puts their inputs into batches together.

    Args:
        url: as of `Client`, and so are the others.
        transport: as httpx's AsyncClient takes it.

    >>> def answer(request):  # in the place of a server
    ...     return httpx.Response(503, json={"error": {"message": "the model is being loaded"}})
    >>> async def look():
    ...     async with AsyncClient(transport=httpx.MockTransport(answer)) as server:
    ...         return await server.ready()
    >>> asyncio.run(look())
    False
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        token: str | None = None,
        *,
        model: str | None = None,
        timeout: float = 60.0,
        retries: int = 12,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._server = server_at(url, token, model, timeout, retries)
        self._http = httpx.AsyncClient(transport=transport, **self._server.options)

    def __repr__(self) -> str:
        return f"AsyncClient({self._server.url!r})"

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; `async with` does that by itself."""
        await self._http.aclose()

    async def embed_texts(self, texts: str | Iterable[str], *, truncate: bool = False) -> Matrix:
        """See `Client.embed_texts`."""
        options = {"truncate": True} if truncate else {}
        return await self._run(calls.embed(self._server, of_texts(texts), **options))

    async def embed_pictures(self, pictures: AnyPicture | Iterable[AnyPicture]) -> Matrix:
        """See `Client.embed_pictures`."""
        return await self._run(calls.embed(self._server, of_pictures(pictures)))

    async def classify(
        self,
        pictures: AnyPicture | Iterable[AnyPicture],
        labels: Sequence[str],
        templates: Sequence[str] | None = None,
        *,
        top: int | None = None,
    ) -> list[Prediction]:
        """See `Client.classify`."""
        return await self._run(calls.classify(self._server, pictures, labels, templates, top))

    async def search(
        self,
        words: str | Sequence[str] | None = None,
        *,
        not_: str | Sequence[str] | None = None,
        also: Mapping[str, float] | None = None,
        image: AnyPicture | Sequence[AnyPicture] | None = None,
        like: str | SearchHit | Sequence[str | SearchHit] | None = None,
        top: int = 50,
        offset: int = 0,
        where: str | None = None,
        threshold: float | None = None,
        modality: str | None = None,
        dedupe: bool = False,
    ) -> SearchResult:
        """See `Client.search`."""
        asked = calls.question(
            words, not_, also, image, like, top=top, offset=offset, where=where,
            threshold=threshold, modality=modality, dedupe=dedupe,
        )  # fmt: skip
        return await self._run(calls.search(self._server, asked))

    async def pages(self, found: SearchResult) -> AsyncIterator[SearchResult]:
        """See `Client.pages`."""
        page: SearchResult | None = found
        while page is not None:
            yield page
            page = await self._run(calls.next_page(self._server, page))

    async def models(self) -> list[ServedModel]:
        """See `Client.models`."""
        return await self._run(calls.models(self._server))

    async def store(self) -> StoreFacts:
        """See `Client.store`."""
        return await self._run(calls.store(self._server))

    async def picture(self, hit: str | SearchHit) -> bytes:
        """See `Client.picture`."""
        return await self._run(calls.picture(self._server, hit))

    async def thumbnail(self, hit: str | SearchHit, side: int = 256) -> bytes:
        """See `Client.thumbnail`."""
        return await self._run(calls.picture(self._server, hit, side))

    async def ready(self) -> bool:
        """See `Client.ready`."""
        return await self._run(calls.ready(self._server))

    async def wait_until_ready(self, seconds: float = 60.0) -> None:
        """See `Client.wait_until_ready`."""
        await self._run(calls.wait_until_ready(self._server, seconds))

    async def _run(self, talk: Talk[Answer]) -> Answer:
        outcome: Outcome = None
        try:
            while True:
                step = talk.send(outcome)
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    outcome = None
                else:
                    outcome = await self._send(step)
        except StopIteration as end:
            answer: Answer = end.value
            return answer

    async def _send(self, request: Request) -> Outcome:
        try:
            return await self._http.request(**request.arguments)
        except httpx.HTTPError as error:
            return error
