"""URLs, which fsspec opens: the one room that knows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from snaplink.errors import ArgumentError, MissingPackageError

__all__ = ["filesystem", "open_any", "open_url"]

_EXTRAS = {
    "http": ("aiohttp", "http"),
    "https": ("aiohttp", "http"),
    "s3": ("s3fs", "s3"),
    "s3a": ("s3fs", "s3"),
    "gs": ("gcsfs", "gs"),
    "gcs": ("gcsfs", "gs"),
    "hf": ("huggingface_hub", "hub"),
}


def filesystem(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it.

    Raises:
        MissingPackageError: what reads such URLs is not installed.
        ArgumentError: nothing reads such URLs.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingPackageError("URLs", "fsspec", "embed") from None
    scheme = url.partition("://")[0]
    try:
        found: tuple[Any, str] = url_to_fs(url)
    except ImportError:
        package, extra = _EXTRAS.get(scheme, (f"fsspec's package for {scheme}", "embed"))
        raise MissingPackageError(f"{scheme}:// URLs", package, extra) from None
    except ValueError as error:
        raise ArgumentError(f"{url}: {error}") from None
    return found


@contextmanager
def open_url(url: str) -> Iterator[BinaryIO]:
    """Open what a URL names, for reading."""
    files, path = filesystem(url)
    with files.open(path, "rb") as file:
        yield file


@contextmanager
def open_any(name: str) -> Iterator[BinaryIO]:
    """Open a file or URL for reading."""
    if "://" in name:
        with open_url(name) as remote:
            yield remote
    else:
        with Path(name).open("rb") as file:
            yield file
