"""The directory where downloaded checkpoints live, and what is in it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["place"]


def place(file: str, download_root: str | os.PathLike[str] | None = None) -> Path:
    """Where a checkpoint's file is, or is to be put.

    The directory is the first that applies of: `download_root`; the environment's CLIP_CACHE;
    ``~/.cache/clip``, openai/CLIP's own, if the file is there already; ``$XDG_CACHE_HOME/clip``;
    ``~/.cache/clip``.

    Args:
        file: the file's name, for instance ``"RN50.pt"``.
        download_root: a directory that the caller names; it need not exist.

    >>> place("RN50.pt", "models").as_posix()
    'models/RN50.pt'
    """
    for named in (download_root, os.environ.get("CLIP_CACHE")):
        if named:
            return Path(named).expanduser() / file
    usual = Path("~/.cache/clip").expanduser() / file
    xdg = os.environ.get("XDG_CACHE_HOME")
    # The specification has relative paths ignored.
    if xdg and Path(xdg).is_absolute() and not usual.is_file():
        return Path(xdg) / "clip" / file
    return usual
