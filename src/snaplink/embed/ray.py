"""The engine for a cluster: the same steps on Ray Data, in pools of actors that may die.

What goes through Ray are packs: as many items as the model sees at once, pickled. A pack that is
lost with its actor is done again by another one; it comes out once.
"""

from __future__ import annotations

import logging
import math
import os
import pickle
from collections.abc import Generator, Iterator
from itertools import chain, islice
from typing import Any

from snaplink.errors import MissingPackageError, SnaplinkError

from .decoders import Decoders
from .encoding import Gathered, Modalities, encode, gathered
from .engine import Engine, Task, Vectors, vectors_of
from .items import Batch, Item
from .models import Models
from .reading import Reader

__all__ = ["RayEngine"]

_ROUND_ITEMS = 1_000_000
_ROUND_BYTES = 1 << 30
"""Items are handed to Ray so many at a time; each time its actors load the model anew."""


class RayEngine(Engine):
    """Uses a cluster, or a new one on this machine.

    Args:
        models: what runs the model, on every GPU of the cluster or else on its CPUs.
        task: what to do.
        address: of a running cluster, such as ``"auto"`` or ``"ray://head:10001"``.
    """

    def __init__(self, models: Models, task: Task, address: str | None = None) -> None:
        self._ray = _ray()
        self._models = models
        self._task = task
        _connect(self._ray, address)
        try:
            resources = self._ray.cluster_resources()
            self._gpus, self._cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 1))
            self.vectors = self._described()
        except BaseException:
            self.close()
            raise

    def _described(self) -> Vectors:
        """By a machine of the kind that will run the model."""
        if not self._gpus:
            return vectors_of(self._models.on("cpu"), self._task)
        describe = self._ray.remote(num_gpus=1)(_describe)
        vectors: Vectors = self._ray.get(describe.remote(self._models, self._task))
        return vectors

    def run(self, items: Iterator[Item]) -> Generator[Batch, None, None]:
        size = self._models.batch_on(self._device)
        for first in items:
            packs = _round(chain([first], items), size)
            try:
                for row in self._dataset(packs).iter_rows():
                    yield pickle.loads(row["pack"])
            except self._ray.exceptions.RayError as error:
                reason = str(error).strip().partition("\n")[0]
                raise SnaplinkError(
                    f"Ray has failed ({reason}): what is committed is safe, and the same command "
                    "goes on from there"
                ) from error

    @property
    def _device(self) -> str:
        return "cuda" if self._gpus else "cpu"

    def _dataset(self, packs: list[bytes]) -> Any:
        """One block a pack, so that each goes its own way."""
        data = self._ray.data
        encoders = self._gpus or max(1, self._cpus // 2)
        decoders = self._task.workers or max(1, self._cpus - (0 if self._gpus else encoders))
        # All must fit, or the last ones would be waited for without end.
        actors = decoders + (0 if self._gpus else encoders)
        core = min(1.0, math.floor(100 * self._cpus / actors) / 100)
        source = data.from_items([{"pack": pack} for pack in packs], override_num_blocks=len(packs))
        return source.map_batches(
            _Decode,
            batch_size=1,
            compute=data.ActorPoolStrategy(size=min(decoders, len(packs))),
            fn_constructor_args=(self.vectors.reader, self._task.limit),
            num_cpus=core,
        ).map_batches(
            _Encode,
            batch_size=1,
            compute=data.ActorPoolStrategy(size=min(encoders, len(packs))),
            fn_constructor_args=(self._models, self._device, self._task.wanted),
            **({"num_gpus": 1} if self._gpus else {"num_cpus": core}),
        )

    def close(self) -> None:
        self._ray.shutdown()


def _ray() -> Any:
    """Ray, told to be quiet and not to report about its use."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingPackageError("clusters", "ray[data]", "ray") from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    return ray


def _connect(ray: Any, address: str | None) -> None:
    local = {"include_dashboard": False} if address is None else {}
    try:
        ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **local)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise SnaplinkError(f"there is no Ray cluster at {address}: {reason}") from error


def _round(items: Iterator[Item], size: int) -> list[bytes]:
    """The next items in packs of this size; as many as one round has."""
    packs: list[bytes] = []
    count = nbytes = 0
    while count < _ROUND_ITEMS and nbytes < _ROUND_BYTES:
        pack = list(islice(items, size))
        if not pack:
            break
        packs.append(pickle.dumps(pack))
        count += len(pack)
        nbytes += len(packs[-1])
    return packs


def _describe(models: Models, task: Task) -> Vectors:
    return vectors_of(models.on("cuda"), task)


class _Decode:
    """An actor: packs of items to packs of what was read, by a process that it may kill."""

    def __init__(self, reader: Reader, limit: float) -> None:
        self._decoders = Decoders(1, limit)
        self._decoders.use(reader)

    def __call__(self, row: dict[str, Any]) -> dict[str, list[bytes]]:
        items = pickle.loads(row["pack"][0])
        (whole,) = gathered(self._decoders.map(iter(items)), len(items) + 1)
        return {"pack": [pickle.dumps(whole)]}


class _Encode:
    """An actor: what was read to rows with their embeddings, by the model that it keeps."""

    def __init__(self, models: Models, device: str, wanted: Modalities) -> None:
        self._encoder = models.on(device)
        self._wanted = wanted

    def __call__(self, row: dict[str, Any]) -> dict[str, list[bytes]]:
        whole: Gathered = pickle.loads(row["pack"][0])
        return {"pack": [pickle.dumps(encode(whole, self._encoder, self._wanted))]}
