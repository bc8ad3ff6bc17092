"""The one who runs the model for all requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

import clip
from snaplink.embed.decoders import cores
from snaplink.encoder import Encoder
from snaplink.errors import ArgumentError
from snaplink.prompts import fill, prompt_weights

from .batching import Batcher
from .decoding import Decoding, Preparation
from .errors import NotReady, TimedOut
from .settings import Settings
from .text_batches import encode_texts
from .vector_cache import Vector, VectorCache

if TYPE_CHECKING:
    from .metrics import Metrics

__all__ = ["Inference"]

Matrix = npt.NDArray[np.float32]
Result = TypeVar("Result")

_BATCHES_AHEAD = 4
"""So many batches of decoded pictures may wait for the model."""
_LABELS_PART = 8
"""One part in so many of what is remembered is for vectors of labels."""


class Inference:
    """Texts and pictures of concurrent requests to unit vectors, in shared batches.

    Args:
        settings: limits and sizes.
        load: gives the model; called in a thread.
        upright: turn pictures as their EXIF orientation says.
        bulk: prepare pictures by `encoder.bulk` instead of exactly.
        metrics: told what happens.

    Attributes:
        problem: why the model is not there, or None.
        upright, bulk: as given.
        encoder: the model, once `ready`, for its facts only: others than the batcher do not run it.
        name, dim, resolution, logit_scale, context_length, precision, weights_sha256: the model's,
            likewise.
    """

    encoder: Encoder
    name: str
    dim: int
    resolution: int
    logit_scale: float
    context_length: int
    precision: str
    weights_sha256: str

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Encoder],
        *,
        upright: bool = True,
        bulk: bool = False,
        metrics: Metrics | None = None,
    ) -> None:
        self._settings = settings
        self._load = load
        self.upright = upright
        self.bulk = bulk
        self._metrics = metrics
        self._batcher: Batcher | None = None
        self._decoding: Decoding | None = None
        told = metrics.looked_up if metrics else lambda hits, misses: None
        for_labels = settings.remembered // _LABELS_PART
        self._texts = VectorCache(settings.remembered - for_labels, told)
        self._labels = VectorCache(for_labels)
        self.problem: str | None = "the model is being loaded"

    @property
    def ready(self) -> bool:
        return self.problem is None

    async def start(self) -> None:
        """Load the model and start the decoders. Raises what loading raises."""
        settings = self._settings
        self._decoding = Decoding(
            settings.workers or cores(),
            settings.decode_limit,
            _BATCHES_AHEAD * settings.max_batch,
            self._metrics,
        )
        try:
            encoder = await asyncio.to_thread(self._loaded)
            preprocess = encoder.bulk if self.bulk else encoder.preprocess
            await self._decoding.use(Preparation(preprocess, self.upright, settings.max_pixels))
        except Exception as error:
            self.problem = f"the model cannot be used: {error}"
            raise
        self._batcher = Batcher(
            {"text": encode_texts(encoder), "picture": _encode_pictures(encoder)},
            max_batch=settings.max_batch,
            max_wait=settings.max_wait,
            capacity=settings.queue,
            observer=self._metrics,
        )
        self.problem = None

    def _loaded(self) -> Encoder:
        self.encoder = encoder = self._load()
        if self.bulk and encoder.bulk is None:
            raise ArgumentError(f"{encoder.name} has no preprocessing that bulk work knows")
        for name in ("name", "dim", "resolution", "logit_scale", "context_length", "precision"):
            setattr(self, name, getattr(encoder, name))
        self.weights_sha256 = encoder.weights_sha256()
        return encoder

    async def close(self) -> None:
        """Accept nothing more, finish what is in flight, end the decoders."""
        self.problem = "the server is about to end"
        if self._batcher:
            await self._batcher.close()
        if self._decoding:
            await self._decoding.close()

    async def texts(self, texts: Sequence[str], *, truncate: bool = False) -> Matrix:
        """The texts' vectors, float32 ``[n, dim]``, of length 1.

        Args:
            texts: any number.
            truncate: leave out what a text has beyond the tokens that the model reads.

        Raises:
            clip.errors.TextTooLongError: a text has more tokens, and is not to be truncated.
            Overloaded, TimedOut, NotReady: see `serve.errors`.
        """
        batcher = self._usable()
        owner = object()

        def start(missing: list[tuple[str, bool]]) -> list[asyncio.Future[Any]]:
            wanted = [text for text, _ in missing]
            inputs = list(zip(wanted, self._lengths(wanted, truncate), strict=True))
            return _admitted(batcher, "text", inputs, owner)

        return await self._in_time(self._rows(self._texts, [(t, truncate) for t in texts], start))

    async def label_weights(self, labels: Sequence[str], templates: Sequence[str]) -> Matrix:
        """One unit vector a label, float32 ``[labels, dim]``; see `snaplink.prompts.class_weights`.

        Raises:
            as `texts`.
        """
        batcher = self._usable()
        owner, sentences = object(), tuple(templates)

        def start(missing: list[tuple[str, tuple[str, ...]]]) -> list[asyncio.Future[Any]]:
            prompts = [fill(each, label) for label, _ in missing for each in sentences]
            inputs = list(zip(prompts, self._lengths(prompts, False), strict=True))
            answers = _admitted(batcher, "text", inputs, owner)
            return [
                _mean(answers[begin : begin + len(sentences)])
                for begin in range(0, len(answers), len(sentences))
            ]

        async def slices() -> Matrix:
            # A slice at a time, so that many prompts need not all have room in the queue.
            step = max(1, self._settings.max_inputs // len(sentences))
            keys = [(label, sentences) for label in labels]
            parts = [
                await self._rows(self._labels, keys[begin : begin + step], start)
                for begin in range(0, len(keys), step)
            ]
            return np.concatenate(parts)

        return await self._in_time(slices())

    async def pictures(
        self, contents: Sequence[bytes], *, names: Sequence[str] | None = None
    ) -> Matrix:
        """The pictures' vectors, float32 ``[n, dim]``, of length 1.

        Args:
            contents: the pictures' files.
            names: what errors call them.

        Raises:
            PictureError: one cannot be used.
            Overloaded, TimedOut, NotReady: see `serve.errors`.
        """
        batcher, owner = self._usable(), object()
        names = names or [f"picture {number}" for number in range(1, len(contents) + 1)]
        batcher.admit("picture", len(contents))
        tasks = [
            asyncio.ensure_future(self._picture(content, name, owner))
            for content, name in zip(contents, names, strict=True)
        ]
        try:
            rows = await self._in_time(asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            batcher.leave(len(contents))
        return self._matrix(rows)

    async def _picture(self, content: bytes, name: str, owner: object) -> Vector:
        batcher, decoding = self._batcher, self._decoding
        assert batcher is not None
        assert decoding is not None
        coming = True
        batcher.expect("picture", 1)
        try:
            async with decoding.decoded(content, name, owner) as pixels:
                (answer,) = batcher.submit("picture", [pixels], owner)
                coming = False
                batcher.expect("picture", -1)
                vector: Vector = await answer
                return vector
        finally:
            if coming:
                batcher.expect("picture", -1)

    def _usable(self) -> Batcher:
        if self.problem is not None or self._batcher is None:
            raise NotReady(self.problem or "the model is being loaded")
        return self._batcher

    def _lengths(self, texts: list[str], truncate: bool) -> list[int]:
        """Tokens of each. The end token, which is the last, has the highest number."""
        table = clip.tokenize(texts, self.context_length, truncate=truncate)
        lengths: list[int] = (table.argmax(dim=-1) + 1).tolist()
        return lengths

    async def _rows(
        self,
        cache: VectorCache,
        keys: list[Any],
        start: Callable[[list[Any]], Sequence[asyncio.Future[Any]]],
    ) -> Matrix:
        return self._matrix(await cache.get(keys, start))

    def _matrix(self, rows: Sequence[Vector]) -> Matrix:
        return np.stack(rows) if rows else np.empty((0, self.dim), np.float32)

    async def _in_time(self, work: Awaitable[Result]) -> Result:
        limit = self._settings.time_limit
        try:
            return await asyncio.wait_for(work, limit)
        except asyncio.TimeoutError:  # not TimeoutError's name in Python 3.10
            raise TimedOut(limit) from None


def _admitted(
    batcher: Batcher, kind: str, inputs: list[Any], owner: object
) -> list[asyncio.Future[Any]]:
    """Submitted inputs, each of which leaves when it is done."""
    batcher.admit(kind, len(inputs))
    answers = batcher.submit(kind, inputs, owner)
    for answer in answers:
        answer.add_done_callback(lambda _: batcher.leave(1))
    return answers


def _mean(prompts: list[asyncio.Future[Any]]) -> asyncio.Future[Any]:
    """A label's vector, of those of its prompts."""

    async def mean() -> Vector:
        rows = torch.from_numpy(np.stack(await asyncio.gather(*prompts)))
        vector: Vector = prompt_weights([[""] * len(rows)], lambda _: rows)[0].numpy()
        return vector

    return asyncio.ensure_future(mean())


def _encode_pictures(encoder: Encoder) -> Callable[[list[Any]], Sequence[Vector]]:
    def encode(pixels: list[Any]) -> Sequence[Vector]:
        stacked = torch.from_numpy(np.stack(pixels))
        return list(encoder.encode_pixels(stacked, normalize=True).numpy())

    return encode
