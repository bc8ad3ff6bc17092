"""Pictures as they go over the wire."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from snaplink.errors import PictureError

__all__ = ["AnyPicture", "as_url", "path_of", "several"]

AnyPicture = str | os.PathLike[str] | bytes | Image.Image
"""A path, a file's bytes, a PIL picture, or a data URL."""

_ADDRESSES = ("data:", "http://", "https://")


def several(pictures: AnyPicture | Iterable[AnyPicture]) -> Iterable[AnyPicture]:
    """One picture as several.

    >>> several("cat.png"), several(["cat.png", "dog.png"])
    (['cat.png'], ['cat.png', 'dog.png'])
    """
    if isinstance(pictures, str | os.PathLike | bytes | Image.Image):
        return [pictures]
    return pictures


def path_of(picture: AnyPicture) -> str | None:
    """The path of a picture that is given as one."""
    if isinstance(picture, bytes | Image.Image):
        return None
    path = os.fspath(picture)
    return None if path.startswith(_ADDRESSES) else path


def as_url(picture: AnyPicture, name: str) -> str:
    """A picture as a data URL; an address, for a server that fetches some, stays what it is.

    The server looks at the bytes to find out what they are, so the kind of picture is left open. A
    PIL picture goes as PNG, in RGB: the values that a model would be given.

    Args:
        picture: is not decoded, unless it is a PIL picture.
        name: what an error calls it.

    Raises:
        PictureError: its file cannot be read.

    >>> as_url(b"abc", "abc")
    'data:image/*;base64,YWJj'
    """
    if isinstance(picture, str) and picture.startswith(_ADDRESSES):
        return picture
    try:
        return f"data:image/*;base64,{base64.b64encode(_content(picture)).decode('ascii')}"
    except FileNotFoundError:
        raise PictureError(name, "no such file") from None
    except (OSError, ValueError) as error:  # ValueError: of a NUL in a path
        raise PictureError(name, getattr(error, "strerror", None) or str(error)) from None


def _content(picture: AnyPicture) -> bytes:
    if isinstance(picture, bytes):
        return picture
    if not isinstance(picture, Image.Image):
        return Path(picture).read_bytes()
    file = io.BytesIO()
    picture.convert("RGB").save(file, "PNG", compress_level=1)
    return file.getvalue()
