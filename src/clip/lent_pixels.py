"""The pixels of a picture where Pillow keeps them, without a copy."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["pixels", "strips"]

Pixels = npt.NDArray[np.uint8]

_LENT = 4_000_000  # pixels; Pillow keeps larger pictures in several pieces
_STRIP = 1_000_000


def pixels(picture: Image.Image) -> Pixels:
    """Rows of colours and an unused or alpha byte, of a picture in mode RGB or RGBA.

    Returns:
        uint8 [height, width, 4], the picture's own memory: not to be written to. A copy, which
        may have only 3 bytes a pixel, where Pillow (before 11.2, and for over 4 million pixels)
        does not lend it.

    >>> pixels(Image.new("RGB", (3, 2), "white"))[0, 0, :3]
    array([255, 255, 255], dtype=uint8)
    """
    picture.load()
    # With PILLOW_ALIGNMENT there are gaps between rows.
    padded = Image.core.get_alignment() > 1  # type: ignore[attr-defined]
    if hasattr(picture, "__arrow_c_array__") and not padded:
        try:
            return np.asarray(_Lent(picture))
        except ValueError:  # the picture lies in several pieces, or not as it is read here
            pass
    return np.array(picture)


def strips(picture: Image.Image, rows: int) -> Iterator[Pixels]:
    """The first rows of a picture, as `pixels` gives them: at once, or in strips if it is large.

    >>> [len(strip) for strip in strips(Image.new("RGB", (2000, 3000)), rows=1200)]
    [500, 500, 200]
    """
    if picture.width * picture.height <= _LENT:
        yield pixels(picture)[:rows]
        return
    step = max(1, _STRIP // picture.width)
    for top in range(0, rows, step):
        yield pixels(picture.crop((0, top, picture.width, min(top + step, rows))))


class _ArrowArray(ctypes.Structure):
    """The beginning of https://arrow.apache.org/docs/format/CDataInterface.html's ArrowArray."""


_ArrowArray._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_ArrowArray))),
]


class _Lent:
    """What numpy needs to make an array of it. The array holds it, and it holds the memory."""

    def __init__(self, picture: Any) -> None:
        _, self.lender = picture.__arrow_c_array__()
        array = _ArrowArray.from_address(_address(self.lender, b"arrow_array"))
        if array.n_children != 1:
            raise ValueError("no pixels of several bytes")
        values = array.children[0].contents
        lies_flat = values.n_buffers == 2 and array.offset == values.offset == 0
        whole = values.length == picture.height * picture.width * 4 > 0
        if not (lies_flat and whole and values.buffers[1]):
            raise ValueError("memory in another order")
        self.__array_interface__ = {
            "version": 3,
            "typestr": "|u1",
            "shape": (picture.height, picture.width, 4),
            "data": (values.buffers[1], False),
        }


_address = ctypes.pythonapi.PyCapsule_GetPointer
_address.restype = ctypes.c_void_p
_address.argtypes = [ctypes.py_object, ctypes.c_char_p]
