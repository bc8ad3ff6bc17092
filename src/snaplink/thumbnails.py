"""Small copies of a store's pictures, for sheets and maps."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from PIL import Image, ImageOps

from . import images
from .errors import PictureError

__all__ = ["data_url", "on_white", "picture_at", "thumbnails"]

_LARGEST_ENLARGEMENT = 3


def thumbnails(
    sources: Sequence[str | None], side: int, *, upright: bool = True
) -> list[Image.Image | None]:
    """The pictures within a square, in RGB, on white where they are transparent.

    Args:
        sources: where they are, as a store says it.
        side: of the square, in pixels.
        upright: turn them as their EXIF orientation says.

    Returns:
        One a source; None where the picture is not there any more, or unreadable.
    """
    small: dict[int, Image.Image] = {}

    def make(number: int) -> Image.Image:
        return _within(picture_at(sources[number], upright=upright), side)

    for number, picture in images.prepared(range(len(sources)), make, on_bad=lambda _: None):
        small[number] = picture
    return [small.get(number) for number in range(len(sources))]


def picture_at(source: str | None, *, upright: bool = True) -> Image.Image:
    """The picture that a row of a store came from.

    Raises:
        PictureError: it is not there any more, or unreadable.
    """
    if source is None:
        raise PictureError("a row", "it does not say where its picture is")
    try:
        from .embed.places import place_of

        content = place_of(source).read()
    except PictureError:
        raise
    except Exception as error:  # networks and file systems raise nearly anything
        raise PictureError(source, str(error)) from None
    return images.decode(content, name=source, upright=upright)


def data_url(picture: Image.Image) -> str:
    """The picture as an address that holds it whole, as a JPEG.

    >>> data_url(Image.new("RGB", (1, 1)))[:23]
    'data:image/jpeg;base64,'
    """
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def on_white(picture: Image.Image) -> Image.Image:
    """The picture in RGB, on white where it is transparent; shades of 16 bits as the nearest of 8.

    >>> on_white(Image.new("LA", (1, 1))).getpixel((0, 0))
    (255, 255, 255)
    """
    if picture.mode.startswith("I"):  # which Pillow would cut off at 255
        picture = picture.convert("I").point(lambda shade: shade * (1 / 257) + 0.5).convert("L")
    if picture.mode not in ("RGB", "L"):
        coloured = picture.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        picture = Image.alpha_composite(white, coloured)
    return picture.convert("RGB")


def _within(picture: Image.Image, side: int) -> Image.Image:
    most = min(side, _LARGEST_ENLARGEMENT * max(picture.size))
    return ImageOps.contain(on_white(picture), (most, most), Image.Resampling.LANCZOS)
