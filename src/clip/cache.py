"""The directory of downloaded checkpoints: where it is, what is in it, and keeping it sound."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clip import receipts
from clip.download import BROKEN_SUFFIX, PARTIAL_SUFFIX, Busy, Progress, fetch, note_path, only_one
from clip.errors import DownloadError
from clip.registry import OFFICIAL, OfficialModel

__all__ = [
    "CachedFile",
    "State",
    "contents",
    "folders",
    "obtain",
    "place",
    "prune",
    "remove",
    "verify",
]

State = Literal["ok", "unverified", "broken", "partial"]
"""What is known of a cached file.

- ``"ok"``: it has the registry's hash, by a receipt or by hashing it now.
- ``"unverified"``: it has the right size; nothing believable says that it was hashed.
- ``"broken"``: it has a wrong size or hash, was set aside for that, or cannot be read.
- ``"partial"``: a download that has not ended; the next one continues it.
"""


@dataclass(frozen=True)
class CachedFile:
    """A file of the cache.

    Attributes:
        model: the official model whose file it is, or is a part or a broken copy of.
        path: where it lies.
        nbytes: its present size.
        state: what is known of it.
    """

    model: OfficialModel
    path: Path
    nbytes: int
    state: State


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
    possible = [folder / file for folder in folders(download_root)]
    return next((path for path in possible[1:] if path.is_file()), possible[0])


def folders(download_root: str | os.PathLike[str] | None = None) -> list[Path]:
    """The directories where cached files may be; new ones go to the first. They need not exist.

    >>> [folder.as_posix() for folder in folders("models")]
    ['models']
    """
    for named in (download_root, os.environ.get("CLIP_CACHE")):
        if named:
            return [Path(named).expanduser()]
    usual = Path("~/.cache/clip").expanduser()
    xdg = Path(os.environ.get("XDG_CACHE_HOME", "")) / "clip"
    # The XDG specification has relative paths ignored.
    return list(dict.fromkeys([xdg, usual] if xdg.is_absolute() else [usual]))


def obtain(
    model: OfficialModel,
    download_root: str | os.PathLike[str] | None = None,
    *,
    mirrors: Sequence[str] = (),
    progress: Progress | None = None,
) -> Path:
    """The verified file of an official model, downloaded if it is missing or broken.

    Also the way to repair: a file with the wrong content is set aside and downloaded anew.

    Args:
        model: of `clip.registry.OFFICIAL`.
        download_root: the cache's directory, in place of the usual ones (see `place`).
        mirrors: as for `clip.download.fetch`.
        progress: ``progress(bytes here, bytes in all)``, many times a second.

    Raises:
        OfflineError: the file is missing and CLIP_OFFLINE forbids to fetch it.
        DownloadError: the file could not be had.
    """
    return fetch(
        model.url,
        sha256=model.sha256,
        target=place(model.file, download_root),
        nbytes=model.nbytes,
        mirrors=mirrors,
        progress=progress,
    )


def contents(download_root: str | os.PathLike[str] | None = None) -> list[CachedFile]:
    """The official models' files in the cache, whole, partial and broken, by model and name.

    Nothing is hashed, so it is quick; files that are not of an official model are passed over.
    """
    return [
        file
        for model in OFFICIAL.values()
        for folder in folders(download_root)
        for file in _of_model(model, folder)
    ]


def verify(
    model: OfficialModel,
    download_root: str | os.PathLike[str] | None = None,
    *,
    progress: Progress | None = None,
) -> CachedFile | None:
    """Hash a model's cached file, whatever its receipt says; None if it is not in the cache.

    The state is ``"ok"`` or ``"broken"``; nothing is moved or removed. `obtain` repairs.
    """
    path = place(model.file, download_root)
    tell: Callable[[int], None] | None = progress and (lambda done: progress(done, model.nbytes))
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            is_right = size == model.nbytes and receipts.verify(file, path, model.sha256, tell)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DownloadError(f"{path} cannot be read ({error}).") from error
    return CachedFile(model, path, size, "ok" if is_right else "broken")


def prune(download_root: str | os.PathLike[str] | None = None) -> list[CachedFile]:
    """Remove partial files and broken ones that were set aside; returns what was removed.

    A partial file that is being downloaded at this moment stays.
    """
    return [
        file
        for model in OFFICIAL.values()
        for folder in folders(download_root)
        for file in _remove(model, folder, keep_whole=True)
    ]


def remove(
    model: OfficialModel, download_root: str | os.PathLike[str] | None = None
) -> list[CachedFile]:
    """Remove all that the cache has of a model; returns what was removed (nothing: empty list).

    Raises:
        DownloadError: the model is being downloaded at this moment, or a file cannot be removed.
    """
    return [
        file
        for folder in folders(download_root)
        for file in _remove(model, folder, keep_whole=False)
    ]


def _of_model(model: OfficialModel, folder: Path) -> Iterator[CachedFile]:
    for path in sorted(folder.glob(f"{model.file}*")):
        with suppress(FileNotFoundError):  # removed meanwhile
            size = path.stat().st_size
            if path.is_file() and (state := _state(model, path, size)):
                yield CachedFile(model, path, size, state)


def _state(model: OfficialModel, path: Path, size: int) -> State | None:
    if path.name.endswith(PARTIAL_SUFFIX):
        return "partial"
    if path.name.endswith(BROKEN_SUFFIX):
        return "broken"
    if path.name != model.file:
        return None
    if size != model.nbytes or not os.access(path, os.R_OK):
        return "broken"
    with path.open("rb") as file:
        return "ok" if receipts.is_trusted(file, path, model.sha256) else "unverified"


def _remove(model: OfficialModel, folder: Path, *, keep_whole: bool) -> list[CachedFile]:
    target = folder / model.file
    doomed = [file for file in _of_model(model, folder) if not (keep_whole and file.path == target)]
    if not doomed:
        return []
    try:
        with only_one(target, wait=False):
            for file in doomed:
                for path in (file.path, note_path(file.path), receipts.receipt_path(file.path)):
                    path.unlink(missing_ok=True)
    except Busy:
        if keep_whole:
            return []
        raise DownloadError(f"{target} is being downloaded at this moment. Try again.") from None
    except OSError as error:
        raise DownloadError(f"{target} cannot be removed ({error}).") from error
    return doomed
