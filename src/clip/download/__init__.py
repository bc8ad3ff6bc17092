"""An address and a hash in; the path of a verified file out, or a clear error.

Whatever goes wrong on the way, nothing is ever left under the final name that does not have the
hash, and what has arrived is kept beside it for the next call to continue.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clip import receipts
from clip.errors import DownloadError, OfflineError

from .body import Unusable
from .lock import Busy, only_one
from .partial import BROKEN_SUFFIX, PARTIAL_SUFFIX, Partial, note_path
from .redact import redact
from .sources import Source, sources_of
from .transfer import Progress, Retry, fill

__all__ = [
    "BROKEN_SUFFIX",
    "PARTIAL_SUFFIX",
    "Busy",
    "Progress",
    "Retry",
    "fetch",
    "is_offline",
    "note_path",
    "only_one",
    "redact",
]

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}

_USUAL = Retry()

_NO = ("", "0", "false", "no", "off")

_log = logging.getLogger(__name__)


def fetch(
    url: str,
    *,
    sha256: str,
    target: str | os.PathLike[str],
    nbytes: int | None = None,
    mirrors: Sequence[str] = (),
    progress: Progress | None = None,
    retry: Retry = _USUAL,
) -> Path:
    """The file at `target`, downloaded if it is not there with the right hash already.

    Args:
        url: the file's official address.
        sha256: its hash, 64 hexadecimal digits; every source is held to it.
        target: final path. Beside it may lie, under names that begin with it: the partial file
            and its note, a lock, a receipt, and a broken file that was set aside.
        nbytes: its size, where known: wrong answers are then seen at once.
        mirrors: base URLs, directories or fsspec URLs that hold ``<sha256>/<file>`` or
            ``<file>``. They are tried in order, then those of the environment's CLIP_MIRROR
            (separated by commas), then `url`.
        progress: is told the bytes here and the bytes in all, many times a second.
        retry: how patiently each source is asked.

    Any number of threads and processes may ask for the same file: one downloads, the others
    wait for it. With CLIP_OFFLINE set, only mirrors that are directories are read.

    Raises:
        OfflineError: the file is not there and CLIP_OFFLINE forbids to fetch it.
        DownloadError: no source gave the right file, the disk is full, or the directory cannot
            be written.
    """
    wanted = _Wanted(url, sha256.lower(), Path(target), nbytes)
    try:
        if not wanted.is_here():
            sources = sources_of(url, wanted.sha256, wanted.target.name, mirrors, retry.timeout)
            _fetch_once(wanted, _permitted(wanted, sources), retry, progress)
    except OSError as error:
        raise _disk_trouble(wanted, error) from error
    return wanted.target


def is_offline() -> bool:
    """Whether CLIP_OFFLINE forbids to use the network."""
    return os.environ.get("CLIP_OFFLINE", "").strip().lower() not in _NO


@dataclass(frozen=True)
class _Wanted:
    """The file that is asked for."""

    url: str
    sha256: str
    target: Path
    nbytes: int | None

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise DownloadError(
                f"{redact(self.url)}: {self.sha256!r} is no SHA-256, so the file could not be "
                "verified. The address should read …/<sha256>/<file>."
            )

    def is_here(self) -> bool:
        if self.target.exists() and not self.target.is_file():
            raise DownloadError(f"{self.target} exists and is not a regular file. Remove it.")
        return receipts.verify_path(self.target, self.sha256, self.nbytes)

    def by_hand(self) -> str:
        size = f", {self.nbytes} bytes" if self.nbytes is not None else ""
        return (
            f"To get it by hand, download {redact(self.url)} ({self.sha256} is its SHA-256{size}) "
            f"and put it at {self.target}."
        )


def _permitted(wanted: _Wanted, sources: list[Source]) -> list[Source]:
    if not is_offline():
        return sources
    sources = [source for source in sources if source.is_local]
    if not sources:
        raise _offline(wanted)
    return sources


def _offline(wanted: _Wanted) -> OfflineError:
    found = "has the wrong content" if wanted.target.exists() else "is not there"
    return OfflineError(
        f"{wanted.target} {found}, and CLIP_OFFLINE forbids to download it. {wanted.by_hand()}"
    )


def _fetch_once(
    wanted: _Wanted, sources: list[Source], retry: Retry, progress: Progress | None
) -> None:
    """Download under the lock, unless the wait for the lock has brought the file."""
    wanted.target.parent.mkdir(parents=True, exist_ok=True)
    with only_one(wanted.target):
        if wanted.is_here():
            return
        _set_aside(wanted.target)
        with Partial(wanted.target, wanted.sha256) as partial:
            _fill_from_any(wanted, sources, partial, retry, progress)
            partial.finish()
            receipts.write(partial.file, wanted.target, wanted.sha256)


def _set_aside(target: Path) -> None:
    """Move a wrong file out of the way; it may be someone's own, so it is not removed."""
    if not target.exists():
        return
    with target.open("rb") as file:
        actual = receipts.sha256_of(file)
    aside = target.with_name(f"{target.name}.{actual[:8]}{BROKEN_SUFFIX}")
    target.replace(aside)
    _log.warning("%s has the wrong content and was moved to %s", target, aside.name)


def _fill_from_any(
    wanted: _Wanted,
    sources: list[Source],
    partial: Partial,
    retry: Retry,
    progress: Progress | None,
) -> None:
    if partial.is_right():
        return
    reasons = []
    for source in sources:
        _check_space(wanted, partial)
        try:
            fill(partial, source, wanted.nbytes, retry, progress)
            return
        except Unusable as refusal:
            reasons.append(f"{source} {refusal}")
            _log.info("%s", reasons[-1])
    if all(source.is_local for source in sources):
        raise _offline(wanted)
    kept = f"The {partial.size} bytes that arrived are kept: try again. " if partial.size else ""
    raise DownloadError(
        f"{wanted.target.name} could not be downloaded: {'; '.join(reasons)}. "
        f"{kept}{wanted.by_hand()}"
    )


def _check_space(wanted: _Wanted, partial: Partial) -> None:
    """Raise now what would come at the end of a long download; some file systems do not say."""
    usage = shutil.disk_usage(wanted.target.parent)
    missing = 0 if wanted.nbytes is None else wanted.nbytes - partial.size
    if usage.total and usage.free < missing:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _disk_trouble(wanted: _Wanted, error: OSError) -> DownloadError:
    folder = wanted.target.parent
    elsewhere = "or name another directory with CLIP_CACHE or download_root"
    if error.errno in _DISK_FULL:
        existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(existing).free
        needed = "" if wanted.nbytes is None else f", and {wanted.nbytes} are needed in all"
        return DownloadError(
            f"The disk with {folder} is full: {free} bytes are free{needed} for "
            f"{wanted.target.name}. Make room and try again, {elsewhere}."
        )
    return DownloadError(
        f"{wanted.target} cannot be used ({error}). Make the directory writable, {elsewhere}."
    )
