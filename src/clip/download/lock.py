"""One downloader at a time, over threads, processes and, where the file system can, machines."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["Busy", "only_one"]

_SILENT_WAIT = 2.0
_HELD = {errno.EACCES, errno.EAGAIN}
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}

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

    path = target.with_name(f"{target.name}.lock")
    # Whoever may write to the directory may also take the lock: shared caches need that.
    mode = 0o600 | (target.parent.stat().st_mode & 0o666)
    # The second under a name of its own: an empty file of the first kind would look held to it.
    has_locks = _has_locks(path, mode)
    lock = FileLock(path, mode=mode) if has_locks else SoftFileLock(f"{path}.soft")
    _acquire(lock, target, wait)
    try:
        yield
    finally:
        lock.release()


def _has_locks(path: Path, mode: int) -> bool:
    """Whether the file system has the system's locks; the answer leaves the lock file there."""
    if os.name != "posix":
        return True
    import fcntl

    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        descriptor = os.open(path, flags | os.O_CREAT, mode)
        with suppress(PermissionError):
            os.fchmod(descriptor, mode)  # whatever the umask takes away
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        if error.errno not in _HELD:
            raise
    finally:
        os.close(descriptor)
    return True


def _acquire(lock: BaseFileLock, target: Path, wait: bool) -> None:
    from filelock import Timeout

    try:
        lock.acquire(timeout=_SILENT_WAIT if wait else 0)
    except Timeout:
        if not wait:
            raise Busy from None
        _log.warning("waiting for another download of %s (lock %s)", target.name, lock.lock_file)
        lock.acquire()
