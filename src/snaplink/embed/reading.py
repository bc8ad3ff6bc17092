"""An item in, the model's view of it out. What a worker does, in whatever process it runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from snaplink import images
from snaplink.errors import PictureError

from .items import Decoded, Failed, Item, Stamp, Unchanged
from .metadata import flattened
from .places import File, Inline, Place, as_text

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["Outcome", "Reader"]

Outcome = tuple["Decoded | Failed | Unchanged", "NDArray[np.uint8] | None"]
"""What became of an item, with its pixels uint8 ``[3, resolution, resolution]``."""


@dataclass(frozen=True)
class Reader:
    """Reads items; picklable.

    Args:
        preprocess: a picture to its pixels; None leaves pictures unread.
        upright: turn photographs as the camera noted.
        hashed: note the SHA-256 of every picture's file.
    """

    preprocess: Callable[[Image.Image], Tensor] | None
    upright: bool = True
    hashed: bool = False

    def __call__(self, item: Item) -> Outcome:
        """Read an item. No picture, however broken, makes this raise."""
        try:
            return self._read(item)
        except PictureError as error:
            return Failed(item.key, error.problem), None
        except FileNotFoundError:
            return Failed(item.key, "no such file", unread=True), None
        except MemoryError:
            return Failed(item.key, "too little memory to decode it"), None
        except Exception as error:  # networks and file systems, too, raise nearly anything
            problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
            return Failed(item.key, f"cannot be read ({problem})", unread=True), None

    def is_distant(self, item: Item) -> bool:
        """Whether it is worth to fetch the item ahead."""
        return item.place is not None and item.place.distant

    def fetched(self, item: Item) -> Item:
        """The item with the content of its place, if that can be read now."""
        try:
            assert item.place is not None
            return replace(item, place=Inline(item.place.address, item.place.read()))
        except Exception:  # the same will come when the item is read
            return item

    def _read(self, item: Item) -> Outcome:
        content = item.place.read() if item.place and self._needs_content(item.place) else None
        stamp = item.stamp
        if self.hashed and content is not None:
            stamp = replace(stamp, sha256=hashlib.sha256(content).hexdigest())
            if stamp.sha256 == item.known_sha256:
                return Unchanged(item.key), None
        size, pixels = None, None
        if self.preprocess:
            if item.place is None:
                raise PictureError(item.key, "no picture")
            picture = self._decoded(item.place, content)
            size, pixels = picture.size, self.preprocess(picture).numpy()
        described = _described(item, stamp, size)
        if pixels is None and described.caption is None:
            raise PictureError(item.key, "no caption")
        return described, pixels

    def _needs_content(self, place: Place) -> bool:
        """A file of this machine that is not hashed is left to the decoder, which reads less."""
        return self.hashed or (self.preprocess is not None and not isinstance(place, File))

    def _decoded(self, place: Place, content: bytes | None) -> Image.Image:
        if content is None:
            return images.decode(place.address, upright=self.upright)
        return images.decode(content, upright=self.upright)


def _described(item: Item, stamp: Stamp, size: tuple[int, int] | None) -> Decoded:
    width, height = size or (None, None)
    return Decoded(
        key=item.key,
        source=as_text(item.place.address) if item.place else None,
        stamp=stamp,
        width=width,
        height=height,
        caption=_caption(item.caption),
        metadata=_metadata(item.metadata),
    )


def _caption(caption: str | Place | None) -> str | None:
    if isinstance(caption, Place):
        return caption.read().decode("utf-8", errors="replace").strip() or None
    return caption or None


def _metadata(metadata: Mapping[str, Any] | Place) -> Mapping[str, Any]:
    """Side-cars that are no JSON objects say nothing; the picture is what matters."""
    if not isinstance(metadata, Place):
        return metadata
    try:
        return flattened(json.loads(metadata.read()))
    except ValueError:
        return {}
