"""Pictures: find them, decode them safely, several at once. Runs no model."""

from __future__ import annotations

import glob
import io
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from math import ceil
from pathlib import Path
from typing import BinaryIO, NoReturn, TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import PictureError, TooManyPixelsError

__all__ = [
    "EXTENSIONS",
    "MAX_PIXELS",
    "OnBad",
    "Source",
    "decode",
    "find",
    "looks_like_photograph",
    "prepared",
    "raise_error",
]

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""A picture file: its path, its bytes, or the open file."""

OnBad = Callable[[PictureError], object]
"""Called with each picture that cannot be used; may raise."""

MAX_PIXELS = 178_956_970
"""A larger picture is taken for a decompression bomb; the limit at which Pillow itself refuses."""

# Formats that Pillow decodes by itself: EPS, for one, would start another program.
_FORMATS = {
    "JPEG": ".jpg .jpeg .jpe .jfif",
    "MPO": ".mpo",
    "PNG": ".png .apng",
    "WEBP": ".webp",
    "GIF": ".gif",
    "BMP": ".bmp .dib",
    "TIFF": ".tif .tiff",
    "AVIF": ".avif .avifs",
    "JPEG2000": ".jp2 .j2k .jpx",
    "PPM": ".ppm .pgm .pbm .pnm",
    "TGA": ".tga",
    "ICO": ".ico",
    "QOI": ".qoi",
}

EXTENSIONS = frozenset(" ".join(_FORMATS.values()).split())
"""Files with these endings (in any case) are a folder's pictures."""

_MAX_RATIO = 250  # scaling the short side up to the model's would make the long one enormous
_LARGE = 32_000_000
_one_large_picture = threading.Lock()


def raise_error(error: PictureError) -> NoReturn:
    """The `OnBad` that stops at the first bad picture."""
    raise error


def find(sources: Iterable[str | os.PathLike[str]], on_bad: OnBad = raise_error) -> Iterator[Path]:
    """Yield the paths of pictures, in order, while they are found.

    Args:
        sources: files, taken as they are; folders, searched with the folders inside them for
            files that end as pictures do, sorted, without hidden ones and without following
            links to folders; patterns such as ``photos/**/*.png``, for shells that leave them
            alone. A name that exists is never a pattern.
        on_bad: called with an error for a folder or pattern in which nothing was found.

    >>> list(find(["cat.png", "dog.png"]))[0].name
    'cat.png'
    """
    for given in sources:
        source = os.fspath(given)
        if os.path.isdir(source):  # noqa: PTH112  # a Path would not take a NUL in 3.10
            found, what = _walk(source), "no picture in this folder"
        elif glob.has_magic(source) and not os.path.lexists(source):
            matches = sorted(glob.glob(source, recursive=True))  # noqa: PTH207  # may be absolute
            found, what = find(matches, on_bad), "matches nothing"
        else:
            found, what = iter([Path(source)]), ""
        first = next(found, None)
        if first is None:
            on_bad(PictureError(source, what))
        else:
            yield first
            yield from found


def _walk(folder: str) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in EXTENSIONS:
                yield Path(parent, name)


def decode(
    source: Source,
    *,
    name: str | None = None,
    upright: bool = False,
    max_pixels: int = MAX_PIXELS,
    reduced: int | None = None,
) -> Image.Image:
    """Read a picture file whole.

    Args:
        source: the path of a regular file, the bytes of one, or one open for reading in binary,
            which is left open; in one of the formats of `EXTENSIONS`, whatever its name ends in.
        name: what errors call it; by default its path, or what else is known of it.
        upright: turn the picture as its EXIF orientation says. The original CLIP does not, so
            features change for the pictures that have one.
        max_pixels: a picture whose file says that it has more is not decoded; at most `MAX_PIXELS`.
        reduced: the longer side, in pixels, that is enough for what the picture is to be used
            for: JPEG files may then be read at a fraction of their size, which is faster.

    Returns:
        The first frame, in the mode that it is stored in.

    Raises:
        PictureError: the file cannot be read, is no picture or is damaged.
        TooManyPixelsError: it is larger than `max_pixels`.
    """
    name = name or _name(source)
    try:
        return _decode(source, name, upright, min(max_pixels, MAX_PIXELS), reduced)
    except PictureError:
        raise
    except FileNotFoundError:
        raise PictureError(name, "no such file") from None
    except Image.DecompressionBombError:
        raise _too_many_pixels(name, MAX_PIXELS) from None
    except MemoryError:
        raise PictureError(name, "too little memory to decode it") from None
    except Exception as error:  # damaged files make decoders raise nearly anything
        problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise PictureError(name, f"cannot be decoded ({problem})") from error


def _name(source: Source) -> str:
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"a picture of {len(source):,} bytes"
    return str(getattr(source, "name", "an open file"))


def _too_many_pixels(name: str, limit: int) -> TooManyPixelsError:
    return TooManyPixelsError(name, f"has over {limit:,} pixels, as decompression bombs do")


def _decode(
    source: Source, name: str, upright: bool, max_pixels: int, reduced: int | None
) -> Image.Image:
    with _opened(source, name) as file:
        start = file.read(16)
        if not start:
            raise PictureError(name, "an empty file")
        file.seek(0)
        try:
            picture = Image.open(file, formats=_readable_formats())
        except UnidentifiedImageError:
            problem = f"not a picture that can be read (it begins with {start!r})"
            raise PictureError(name, problem) from None
        pixels = picture.width * picture.height
        if pixels > max_pixels:
            raise _too_many_pixels(name, max_pixels)
        if max(picture.size) > _MAX_RATIO * min(picture.size):
            raise PictureError(name, f"too narrow ({picture.width} x {picture.height} pixels)")
        if reduced is not None and reduced < max(picture.size):
            share = reduced / max(picture.size)
            picture.draft(None, (ceil(share * picture.width), ceil(share * picture.height)))
        # Threads may hold many small pictures at once, but only one of the largest.
        with _one_large_picture if pixels > _LARGE else nullcontext():
            picture.load()
            return ImageOps.exif_transpose(picture) if upright else picture


@contextmanager
def _opened(source: Source, name: str) -> Iterator[BinaryIO]:
    """The source as a file that can be searched, at its start."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield io.BytesIO(source)
    elif isinstance(source, (str, os.PathLike)):
        with open(source, "rb", opener=_open_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise PictureError(name, "not a regular file")
            yield file
    elif source.seekable():
        source.seek(0)
        yield source
    else:
        yield io.BytesIO(source.read())


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a FIFO without waiting for its writer; a regular file as ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _readable_formats() -> list[str]:
    """Those of our formats that the installed Pillow was built with."""
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def looks_like_photograph(picture: Image.Image) -> bool:
    """Guess by the grain: reduced to 64 x 64, a drawing has many neighbours of one shade.

    Two photographs, sharp and blurred, had at most 14 % of them, 17 sets of emoji and icons, also
    as JPEG, at least 35 %, handwritten digits of 8 x 8 pixels at least 18 %.

    >>> looks_like_photograph(Image.new("RGB", (64, 64), "red"))
    False
    >>> looks_like_photograph(Image.effect_noise((64, 64), 50))
    True
    """
    small = np.asarray(picture.convert("L").resize((64, 64), Image.Resampling.BILINEAR))
    return bool(np.mean(small[:, 1:] == small[:, :-1]) < 0.16)


def prepared(
    items: Iterable[Item],
    prepare: Callable[[Item], Prepared],
    on_bad: OnBad = raise_error,
    threads: int | None = None,
) -> Iterator[tuple[Item, Prepared]]:
    """Yield each item with what `prepare` makes of it, in order, computed ahead by threads.

    Args:
        items: read no further ahead than twice the number of threads.
        prepare: called in a thread; may raise `PictureError`.
        on_bad: called in the caller's thread with that error; the item is then left out.
        threads: at once; by default one a core, at most 8.

    >>> list(prepared([1, 2], lambda item: item * 10))
    [(1, 10), (2, 20)]
    """
    threads = threads or min(8, os.cpu_count() or 1)
    ahead: deque[tuple[Item, Future[Prepared]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="pictures")
    try:
        for item in items:
            ahead.append((item, pool.submit(prepare, item)))
            if len(ahead) > 2 * threads:
                yield from _finished(*ahead.popleft(), on_bad)
        while ahead:
            yield from _finished(*ahead.popleft(), on_bad)
    finally:
        pool.shutdown(cancel_futures=True)


def _finished(
    item: Item, future: Future[Prepared], on_bad: OnBad
) -> Iterator[tuple[Item, Prepared]]:
    try:
        result = future.result()
    except PictureError as error:
        on_bad(error)
    else:
        yield item, result
