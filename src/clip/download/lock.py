"""One downloader at a time, over threads, processes and, where the file system can, machines."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["LOCK_SUFFIX", "Busy", "only_one"]

LOCK_SUFFIX = ".lock"

_SILENT_WAIT = 2.0
_NO_LOCKS_HERE = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}

_log = logging.getLogger(__name__)


class Busy(Exception):  # noqa: N818
    """Somebody else holds the lock."""


@contextmanager
def only_one(target: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the right to write `target`.

    Waits for another holder, and says so after a moment; without `wait`, raises `Busy` at once.
    The system's lock goes with its holder, however that ends. Where a file system has none, a
    lock file that names its holder takes its place, and is broken once that process is gone.
    """
    from filelock import FileLock, SoftFileLock

    path = target.with_name(target.name + LOCK_SUFFIX)
    # Whoever may write to the directory may also take the lock: shared caches need that.
    mode = 0o600 | (target.parent.stat().st_mode & 0o666)
    lock: BaseFileLock = FileLock(path, mode=mode)
    try:
        _acquire(lock, target, wait)
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS_HERE:
            raise
        # Under a name of its own: the other's leavings would look like a lock that is held.
        lock = SoftFileLock(f"{path}.soft")
        _acquire(lock, target, wait)
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: BaseFileLock, target: Path, wait: bool) -> None:
    from filelock import Timeout

    try:
        lock.acquire(timeout=_SILENT_WAIT if wait else 0)
    except Timeout:
        if not wait:
            raise Busy from None
        _log.warning("waiting for another download of %s (lock %s)", target.name, lock.lock_file)
        lock.acquire()
