"""What every engine is: items in, batches of rows with embeddings out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from snaplink.errors import ArgumentError
from snaplink.fingerprint import Fingerprint, fingerprint

from .encoding import Modalities
from .items import Batch, Item
from .reading import Reader

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from snaplink.encoder import Encoder

__all__ = ["Engine", "Task", "Vectors", "vectors_of"]


@dataclass(frozen=True)
class Task:
    """What an engine is to do with items.

    Attributes:
        wanted: the modalities to embed.
        upright: turn photographs as the camera noted.
        hashed: let an item's content decide whether it has changed.
        workers: processes that decode; None is for the engine to choose.
        limit: seconds that an item may take to decode.
    """

    wanted: Modalities
    upright: bool
    hashed: bool
    workers: int | None
    limit: float


@dataclass(frozen=True)
class Vectors:
    """What a model makes, and of what: as much as is known before it runs.

    Attributes:
        dim: width of the embeddings.
        fingerprint: of the model and everything before it.
        reader: reads items as that model needs them.
    """

    dim: int
    fingerprint: Fingerprint
    reader: Reader


def vectors_of(encoder: Encoder, task: Task) -> Vectors:
    """What an encoder will make in a task.

    Raises:
        ArgumentError: its preprocessing is not one that bulk work knows.
    """
    if encoder.bulk is None:
        raise ArgumentError(
            f"{encoder.name} has a preprocessing of its own that is unknown to bulk work: it must "
            "resize, crop, convert to RGB and normalise as CLIP's or open_clip's does"
        )
    bulk = cast("Callable[[Image.Image], Tensor]", encoder.bulk)
    wanted = task.wanted
    return Vectors(
        encoder.dim,
        fingerprint(encoder, upright=task.upright, normalized=wanted.normalize, bulk=True),
        Reader(bulk if wanted.image else None, task.upright, task.hashed),
    )


class Engine(ABC):
    """Embeds items. `close` it at the end, whatever happens.

    Attributes:
        vectors: what it makes.
    """

    vectors: Vectors

    @abstractmethod
    def run(self, items: Iterator[Item]) -> Generator[Batch, None, None]:
        """Read and encode items, and yield what came of them, in no particular order.

        Items may be taken in another thread, ahead of what comes out.
        """

    @abstractmethod
    def close(self) -> None:
        """End all that was started."""
