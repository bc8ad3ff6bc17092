"""One writer a store. The system's lock goes with its holder, however that ends."""

from __future__ import annotations

import errno
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from snaplink.errors import StoreError

from .files import remove, write_whole

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["WriterLock"]

_LOCK = "writer.lock"
_HOLDER = "writer.json"
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}


class WriterLock:
    """The right to write to a store, held from now until `release`.

    Raises:
        StoreError: another process holds it; the message says which.
    """

    def __init__(self, directory: Path) -> None:
        self._holder = directory / _HOLDER
        lock = _taken(directory / _LOCK)
        if lock is None:
            raise StoreError(
                f"{directory} is being written by {self._named()}: wait for it, or end it"
            )
        self._lock = lock
        try:
            self._sign()
        except BaseException:
            self._lock.release()
            raise

    @property
    def held(self) -> bool:
        return self._lock.is_locked

    def release(self) -> None:
        if not self.held:
            return
        try:
            with suppress(OSError):
                remove(self._holder)
        finally:
            self._lock.release()

    def _sign(self) -> None:
        """Say who holds it: in another file, since Windows lets nobody read a locked one."""
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": now}
        data = json.dumps(holder).encode()
        write_whole(self._holder, lambda file: file.write(data))

    def _named(self) -> str:
        try:
            holder = json.loads(self._holder.read_bytes())
            return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"


def _taken(path: Path) -> BaseFileLock | None:
    """The lock, or None if it is held."""
    from filelock import FileLock, SoftFileLock, Timeout

    try:
        try:
            return _acquired(FileLock(path, thread_local=False))
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            # A file that names its holder, and is broken once that process is gone.
            return _acquired(SoftFileLock(f"{path}.soft", thread_local=False))
    except Timeout:
        return None


def _acquired(lock: BaseFileLock) -> BaseFileLock:
    lock.acquire(timeout=0)
    return lock
