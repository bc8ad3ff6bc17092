"""From sources to a store: plan, engine and writer put together."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from snaplink.errors import ArgumentError, PictureError
from snaplink.fingerprint import fingerprint
from snaplink.store import Writer

from . import local
from .decoders import Decoders, cores
from .encoding import Modalities
from .items import Batch
from .plan import Plan
from .reading import Reader
from .rows import table
from .sources import Columns, opened
from .summary import Summary

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from snaplink.encoder import Encoder

__all__ = ["Job", "embed"]


@dataclass(frozen=True)
class Job:
    """How sources are to be embedded; the defaults are the command's.

    Attributes:
        modalities: "image", "text" or both.
        columns: which columns of tables are what.
        upright: turn photographs as the camera noted.
        normalize: scale embeddings to length 1.
        dtype: of the embeddings in the store, "float16" or "float32".
        vectors: write the `.npy` files that search maps.
        hashed: let a file's content (SHA-256) decide whether it has changed, not size and time.
        prune: drop rows of items that are gone.
        strict: stop at the first item that cannot be embedded.
        workers: processes that decode; by default one a core.
        limit: seconds that an item may take to decode.
    """

    modalities: tuple[str, ...] = ("image",)
    columns: Columns = field(default_factory=Columns)
    upright: bool = True
    normalize: bool = True
    dtype: str = "float16"
    vectors: bool = True
    hashed: bool = False
    prune: bool = False
    strict: bool = False
    workers: int | None = None
    limit: float = 30.0


def embed(
    sources: Sequence[str | os.PathLike[str]],
    store: str | os.PathLike[str],
    encoders: Callable[[], Sequence[Encoder]],
    job: Job | None = None,
    progress: Callable[[Summary], object] = lambda summary: None,
) -> Summary:
    """Embed what is new or changed in the sources into a store, which is made if it is not there.

    Args:
        sources: what to embed, see docs/embedding.md.
        store: its directory.
        encoders: gives what runs the model, one a device; called while workers start.
        job: how.
        progress: called with the counts as they grow.

    Raises:
        ArgumentError: a source does not exist.
        PictureError: with `strict`, the first item that cannot be embedded.
        StoreError: the store was made with another model, say, or is in use.
    """
    job = job or Job()
    wanted = Modalities("image" in job.modalities, "text" in job.modalities, job.normalize)
    given = opened(sources, replace(job.columns, images=wanted.image, texts=wanted.text))
    with closing(Decoders(job.workers or cores(), job.limit)) as decoders:
        models = encoders()
        decoders.use(Reader(_bulk(models[0]) if wanted.image else None, job.upright, job.hashed))
        with _writer(store, models[0], job) as writer:
            plan = Plan(given, writer.known(), hashed=job.hashed)
            batches = local.run(plan.items(), decoders, models, wanted)
            return _Run(writer, plan, job, progress).consume(batches)


def _bulk(encoder: Encoder) -> Callable[[Image.Image], Tensor]:
    if encoder.bulk is None:
        raise ArgumentError(
            f"{encoder.name} has a preprocessing of its own that is unknown to bulk work: it must "
            "resize, crop, convert to RGB and normalise as CLIP's or open_clip's does"
        )
    return cast("Callable[[Image.Image], Tensor]", encoder.bulk)


def _writer(store: str | os.PathLike[str], encoder: Encoder, job: Job) -> Writer:
    return Writer(
        Path(store),
        fingerprint(encoder, upright=job.upright, normalized=job.normalize, bulk=True),
        dim=encoder.dim,
        dtype=job.dtype,
        modalities=job.modalities,
        vectors=job.vectors,
    )


class _Run:
    """Writes batches as they come, and counts."""

    def __init__(
        self, writer: Writer, plan: Plan, job: Job, progress: Callable[[Summary], object]
    ) -> None:
        self._writer = writer
        self._plan = plan
        self._job = job
        self._progress = progress
        self._started = time.monotonic()
        self._unchanged = 0
        self.summary = Summary()

    def consume(self, batches: Generator[Batch, None, None]) -> Summary:
        with closing(batches):
            for batch in batches:
                self._write(batch)
                self._report()
        self.summary.unlisted = [str(problem) for problem in self._plan.problems]
        if self._job.prune:
            self._prune()
        elif self._plan.missing:
            self.summary.failed[_KEPT] += len(self._plan.missing)
        self._writer.flush()
        self._report()
        return self.summary

    def _write(self, batch: Batch) -> None:
        if batch.rows:
            self._writer.append(table(batch, self._job.dtype))
            self.summary.embedded += len(batch.rows)
        self._unchanged += len(batch.unchanged)
        for failed in batch.failed:
            self._writer.fail(failed.key, failed.reason)
            self.summary.failed[_kind(failed.reason)] += 1
            if self._job.strict:
                raise PictureError(failed.key, failed.reason)

    def _prune(self) -> None:
        known = self._writer.known()
        gone = list(self._plan.gone(known))
        self._writer.delete(gone)
        self.summary.pruned = len(gone)

    def _report(self) -> None:
        plan, summary = self._plan, self.summary
        summary.present = plan.present + self._unchanged
        summary.repeated = plan.repeated
        summary.total = plan.listed if plan.complete else None
        summary.seconds = time.monotonic() - self._started
        self._progress(summary)


_KEPT = "no such file"  # its row is kept: only --prune drops rows


def _kind(reason: str) -> str:
    """The reason without what is particular about one picture.

    >>> _kind("not a picture that can be read (it begins with b'<html>')")
    'not a picture that can be read'
    """
    return reason.partition(" (")[0]
