"""What is searched for: words and pictures, each with a weight, as one vector."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from PIL import Image
from torch import Tensor

from snaplink import images
from snaplink.encoder import Encoder
from snaplink.errors import ArgumentError
from snaplink.fingerprint import Fingerprint
from snaplink.vectors import Matrix

__all__ = ["Asked", "Picture", "Query", "Words", "direction"]


@dataclass(frozen=True)
class Words:
    """Words to search for.

    Args:
        text: as the model is to read them.
        weight: how much they count beside the other parts; below 0, they are avoided.
    """

    text: str
    weight: float = 1.0


@dataclass(frozen=True)
class Picture:
    """A picture to search for.

    Args:
        picture: a file's path, or a PIL picture.
        weight: as for `Words`.
    """

    picture: str | os.PathLike[str] | Image.Image
    weight: float = 1.0


class Query:
    """Words and pictures at once: their unit vectors are added, each times its weight.

    Raises:
        ArgumentError: there is no part, a text is empty, or a weight is 0 or no finite number.

    >>> Query(Words("a red car"), Words("at night", 0.5), Words("people", -0.5)).parts[1].weight
    0.5
    """

    def __init__(self, *parts: Words | Picture) -> None:
        if not parts:
            raise ArgumentError("nothing to search for: give words or a picture")
        for part in parts:
            if not math.isfinite(part.weight) or part.weight == 0:
                raise ArgumentError(f"a weight of {part.weight}: give one above or below 0")
            if isinstance(part, Words) and not part.text.strip():
                raise ArgumentError("the words to search for are empty")
        self.parts = parts


Asked: TypeAlias = str | os.PathLike[str] | Image.Image | Query | Matrix | Tensor
"""Words; the path of a picture, as a `Path`; a picture; a `Query`; or a vector ``[dim]``."""


def direction(asked: Asked, made_by: Fingerprint, encoder: Callable[[], Encoder]) -> Matrix:
    """The unit vector of what is asked for, float32 ``[dim]``.

    Args:
        asked: what to search for.
        made_by: of the store: pictures are prepared as its own were.
        encoder: called only where something is to be encoded.

    Raises:
        ArgumentError: the parts cancel out, or a vector is not finite or all 0.
        PictureError: a picture cannot be used.
        clip.errors.TextTooLongError: words have more tokens than the model reads.
    """
    if isinstance(asked, Tensor):
        total = asked.detach().float().cpu().reshape(-1)
    elif isinstance(asked, np.ndarray):
        total = torch.from_numpy(asked.astype(np.float32)).reshape(-1)
    else:
        query = _query(asked)
        weights = torch.tensor([part.weight for part in query.parts], dtype=torch.float32)
        total = weights @ _encoded(query.parts, made_by, encoder())
    length = torch.linalg.vector_norm(total)
    if not torch.isfinite(length) or length < 1e-6:
        raise ArgumentError("what is searched for has no direction: its parts cancel out")
    unit: Matrix = (total / length).numpy()
    return unit


def _query(asked: str | os.PathLike[str] | Image.Image | Query) -> Query:
    if isinstance(asked, Query):
        return asked
    return Query(Words(asked) if isinstance(asked, str) else Picture(asked))


def _encoded(parts: Sequence[Words | Picture], made_by: Fingerprint, encoder: Encoder) -> Tensor:
    """A unit vector a part, ``[parts, dim]``."""
    # Files are looked at first: a wrong name is found before the model runs.
    pixels = [_pixels(part, made_by, encoder) for part in parts if isinstance(part, Picture)]
    texts = [part.text for part in parts if isinstance(part, Words)]
    pictures = iter(encoder.encode_pixels(torch.stack(pixels)) if pixels else ())
    words = iter(encoder.encode_texts(texts) if texts else ())
    rows = [next(pictures if isinstance(part, Picture) else words) for part in parts]
    return F.normalize(torch.stack(rows), dim=-1)


def _pixels(part: Picture, made_by: Fingerprint, encoder: Encoder) -> Tensor:
    picture = part.picture
    if not isinstance(picture, Image.Image):
        picture = images.decode(picture, upright=bool(made_by.preprocessing.get("upright")))
    if made_by.preprocessing.get("path") == "bulk" and encoder.bulk is not None:
        return torch.as_tensor(encoder.bulk(picture))
    return encoder.pixels(picture)
