"""The one who runs the model for all requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

import clip
from clip.errors import TextTooLongError
from snaplink.embed.decoders import cores
from snaplink.encoder import Encoder
from snaplink.errors import ArgumentError
from snaplink.prompts import fill, prompt_weights, quoted

from .batching import Batcher
from .decoding import Decoding, Preparation
from .errors import NotReady
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
_LONG = 2_000
"""So many characters are tokenized in a thread, so that others are answered meanwhile."""
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
        problem: why the model is not there; None once it is.
        upright, bulk: as given.
        encoder: the model, once it is there, for its facts only: none but the batcher runs it.
        name: what clients call the model; a file or directory without the folders it is in.
        dim, resolution, logit_scale, context_length, precision, weights_sha256: the model's,
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
        path = Path(encoder.name)
        self.name = path.name if path.exists() else encoder.name
        for name in ("dim", "resolution", "logit_scale", "context_length", "precision"):
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

    async def lengths(self, texts: Sequence[str], *, truncate: bool = False) -> list[int]:
        """Tokens of each text that the model reads, start and end included.

        Raises:
            clip.errors.TextTooLongError: a text has more, and is not to be truncated.
        """
        if sum(map(len, texts)) < _LONG:
            return _lengths(texts, self.context_length, truncate)
        return await asyncio.to_thread(_lengths, texts, self.context_length, truncate)

    async def texts(
        self, texts: Sequence[str], *, truncate: bool = False, lengths: Sequence[int] | None = None
    ) -> Matrix:
        """The texts' vectors, float32 ``[n, dim]``, of length 1.

        Args:
            texts: any number.
            truncate: leave out what a text has beyond the tokens that the model reads.
            lengths: what `lengths` said of them, so that they need not be tokenized once more.

        Raises:
            clip.errors.TextTooLongError: a text has more tokens, and is not to be truncated.
            Overloaded, NotReady: see `serve.errors`.
        """
        batcher, owner = self._usable(), object()
        keys = [(text, truncate) for text in texts]
        known = all(key in self._texts for key in keys)
        found = lengths or ([] if known else await self.lengths(texts, truncate=truncate))
        length = dict(zip(texts, found, strict=False))

        def start(missing: list[tuple[str, bool]]) -> list[asyncio.Future[Any]]:
            return _admitted(batcher, [(text, length[text]) for text, _ in missing], owner)

        return await self._rows(self._texts, keys, start)

    async def label_weights(self, labels: Sequence[str], templates: Sequence[str]) -> Matrix:
        """One unit vector a label, float32 ``[labels, dim]``; see `snaplink.prompts.class_weights`.

        Raises:
            as `texts`.
        """
        batcher, owner = self._usable(), object()
        sentences = tuple(templates)
        count = len(sentences)

        async def rows(labels: Sequence[str]) -> Matrix:
            keys = [(label, sentences) for label in labels]
            length: dict[str, int] = {}
            if not all(key in self._labels for key in keys):
                prompts = [fill(each, label) for label in labels for each in sentences]
                length = dict(zip(prompts, await self.lengths(prompts), strict=True))

            def start(missing: list[tuple[str, tuple[str, ...]]]) -> list[asyncio.Future[Any]]:
                prompts = [fill(each, label) for label, _ in missing for each in sentences]
                answers = _admitted(batcher, [(each, length[each]) for each in prompts], owner)
                return [_mean(answers[at : at + count]) for at in range(0, len(answers), count)]

            return await self._rows(self._labels, keys, start)

        # A slice at a time, so that many prompts need not all have room in the queue.
        step = max(1, self._settings.max_inputs // count)
        return np.concatenate(
            [await rows(labels[at : at + step]) for at in range(0, len(labels), step)]
        )

    async def pictures(
        self, contents: Sequence[bytes], *, names: Sequence[str] | None = None
    ) -> Matrix:
        """The pictures' vectors, float32 ``[n, dim]``, of length 1.

        Args:
            contents: the pictures' files.
            names: what errors call them.

        Raises:
            PictureError: one cannot be used.
            Overloaded, NotReady: see `serve.errors`.
        """
        batcher, owner = self._usable(), object()
        names = names or [f"picture {number}" for number in range(1, len(contents) + 1)]
        batcher.admit(len(contents))

        def left(task: asyncio.Task[Vector]) -> None:
            batcher.leave(1)
            if not task.cancelled():
                task.exception()  # of several, only the first is raised

        tasks = [
            asyncio.ensure_future(self._picture(content, name, owner))
            for content, name in zip(contents, names, strict=True)
        ]
        for task in tasks:
            task.add_done_callback(left)
        try:
            return self._matrix(await _all(tasks))
        finally:
            for task in tasks:
                task.cancel()

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

    async def _rows(
        self,
        cache: VectorCache,
        keys: list[Any],
        start: Callable[[list[Any]], Sequence[asyncio.Future[Any]]],
    ) -> Matrix:
        return self._matrix(await cache.get(keys, start))

    def _matrix(self, rows: Sequence[Vector]) -> Matrix:
        return np.stack(rows) if rows else np.empty((0, self.dim), np.float32)


def _lengths(texts: Sequence[str], context_length: int, truncate: bool) -> list[int]:
    """Tokens of each, counted without the table that `clip.tokenize` makes of them: it is what
    most of the time goes to when a request has one text."""
    lengths = [len(clip.clip._tokenizer.encode(text)) + 2 for text in texts]  # a start, an end
    for text, length in zip(texts, lengths, strict=True):
        if length > context_length and not truncate:
            raise TextTooLongError(
                f"{quoted(text)} has {length:,} tokens, start and end included, and the model "
                f"reads {context_length}: shorten it"
            )
    return [min(length, context_length) for length in lengths]


def _admitted(
    batcher: Batcher, texts: list[tuple[str, int]], owner: object
) -> list[asyncio.Future[Any]]:
    """Submitted texts, each of which leaves when it is done."""
    batcher.admit(len(texts))
    answers = batcher.submit("text", texts, owner)
    for answer in answers:
        answer.add_done_callback(lambda _: batcher.leave(1))
    return answers


async def _all(tasks: list[asyncio.Task[Result]]) -> list[Result]:
    """The results, or the first error."""
    if tasks:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    failed = [task for task in tasks if task.done() and task.exception()]
    return [task.result() for task in failed or tasks]


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
