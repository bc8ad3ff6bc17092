"""From sources to a store: plan, engine and writer put together."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from threading import Thread

from snaplink.errors import ArgumentError, PictureError
from snaplink.store import Writer

from .encoding import Modalities
from .engine import Engine, Task, Vectors
from .items import Batch
from .models import Models
from .plan import Plan
from .rows import table
from .sources import Columns, opened
from .summary import Summary

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
        engine: "local", this machine, or "ray", a cluster.
        ray_address: of a running cluster; None starts one on this machine.
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
    engine: str = "local"
    ray_address: str | None = None


def embed(
    sources: Sequence[str | os.PathLike[str]],
    store: str | os.PathLike[str],
    models: Models | None = None,
    job: Job | None = None,
    progress: Callable[[Summary], object] = lambda summary: None,
) -> Summary:
    """Embed what is new or changed in the sources into a store, which is made if it is not there.

    Args:
        sources: what to embed, see docs/embedding.md.
        store: its directory.
        models: what runs the model; by default the built-in one.
        job: how.
        progress: called with the counts as they grow.

    Raises:
        ArgumentError: a source does not exist, or it is not clear what it is.
        MissingPackageError: what a source or an engine needs is not installed.
        PictureError: with `strict`, the first item that cannot be embedded.
        StoreError: the store was made with another model, say, or is in use.
    """
    if not os.fspath(store):  # a shell's variable that is not set; "" would be this folder
        raise ArgumentError("the store has no name: say which directory it is to be")
    job = job or Job()
    wanted = Modalities("image" in job.modalities, "text" in job.modalities, job.normalize)
    given = opened(sources, replace(job.columns, images=wanted.image, texts=wanted.text))
    task = Task(wanted, job.upright, job.hashed, job.workers, job.limit)
    with (
        closing(_engine(models or Models(), task, job)) as engine,
        _writer(store, engine.vectors, job) as writer,
    ):
        plan = Plan(given, writer.known(), hashed=job.hashed)
        Thread(target=plan.count, name="count", daemon=True).start()
        return _Run(writer, plan, job, progress).consume(engine.run(plan.items()))


def _engine(models: Models, task: Task, job: Job) -> Engine:
    if job.engine == "local":
        from .local import LocalEngine

        return LocalEngine(models, task)
    from .ray import RayEngine

    return RayEngine(models, task, job.ray_address)


def _writer(store: str | os.PathLike[str], made: Vectors, job: Job) -> Writer:
    return Writer(
        Path(store),
        made.fingerprint,
        dim=made.dim,
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
        known = self._writer.known()
        for failed in batch.failed:
            if not (failed.unread and failed.key in known):  # a server that is down drops no row
                self._writer.fail(failed.key, failed.reason)
            self.summary.failed[_kind(failed.reason)] += 1
            if self._job.strict:
                raise PictureError(failed.key, failed.reason)

    def _prune(self) -> None:
        rows = len(self._writer)
        gone = self._plan.gone(chain(self._writer.known(), self._writer.failures()))
        self._writer.delete(list(gone))
        self.summary.pruned = rows - len(self._writer)

    def _report(self) -> None:
        plan, summary = self._plan, self.summary
        summary.present = plan.present + self._unchanged
        summary.repeated = plan.repeated
        summary.total = plan.listed if plan.complete else plan.expected
        summary.seconds = time.monotonic() - self._started
        self._progress(summary)


_KEPT = "no such file"  # its row is kept: only --prune drops rows


def _kind(reason: str) -> str:
    """The reason without what is particular about one picture.

    >>> _kind("not a picture that can be read (it begins with b'<html>')")
    'not a picture that can be read'
    """
    return reason.partition(" (")[0]
