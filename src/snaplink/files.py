"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["put"]


def put(path: Path, content: bytes) -> None:
    """Write a file beside, flush it to disk, then rename it.

    Raises:
        OSError: the folder is not there, or not to be written to.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)  # noqa: PTH105  # Path.replace does the same
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
