"""What was read, gathered into batches and encoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from .items import Batch, Decoded, Failed
from .reading import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from snaplink.encoder import Encoder

__all__ = ["Gathered", "Modalities", "encode", "gathered"]


@dataclass(frozen=True)
class Modalities:
    """What is embedded, and whether embeddings are scaled to length 1."""

    image: bool = True
    text: bool = False
    normalize: bool = True


@dataclass
class Gathered:
    """Enough outcomes for a batch."""

    pixels: list[NDArray[np.uint8]] = field(default_factory=list)
    batch: Batch = field(default_factory=Batch)

    def add(self, outcome: Outcome) -> None:
        result, pixels = outcome
        if isinstance(result, Decoded):
            self.batch.rows.append(result)
            if pixels is not None:
                self.pixels.append(pixels)
        elif isinstance(result, Failed):
            self.batch.failed.append(result)
        else:
            self.batch.unchanged.append(result)


def gathered(outcomes: Iterable[Outcome], batch_size: int) -> Iterator[Gathered]:
    """Outcomes by batches; those that gave no row go with the next one."""
    now = Gathered()
    for outcome in outcomes:
        now.add(outcome)
        others = len(now.batch.failed) + len(now.batch.unchanged)
        if len(now.batch.rows) >= batch_size or others >= 4 * batch_size:
            yield now
            now = Gathered()
    yield now


def encode(gathered: Gathered, encoder: Encoder, wanted: Modalities) -> Batch:
    """The batch with its embeddings, float32.

    Where a device has too little memory for the encoder's batch size, that is halved, for good.
    """
    while True:
        try:
            return _encoded(gathered, encoder, wanted)
        except torch.cuda.OutOfMemoryError:
            if encoder.batch_size == 1:
                raise
            encoder.batch_size //= 2


def _encoded(gathered: Gathered, encoder: Encoder, wanted: Modalities) -> Batch:
    batch = gathered.batch
    if wanted.image and batch.rows:
        pixels = torch.from_numpy(np.stack(gathered.pixels))
        batch.image = encoder.encode_pixels(pixels, normalize=wanted.normalize).numpy()
    if wanted.text and batch.rows:
        batch.has_text = [row.caption is not None for row in batch.rows]
        captions = [row.caption for row in batch.rows if row.caption is not None]
        batch.text = np.zeros((len(batch.rows), encoder.dim), np.float32)
        batch.text[batch.has_text] = encoder.encode_texts(
            captions, normalize=wanted.normalize, truncate=True
        )
    return batch
