"""An open checkpoint file: bounded reads by position, which threads can share."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from ..errors import CheckpointError

__all__ = ["FileSource"]

PathLike = str | os.PathLike[str]

_DAMAGED = "The file is damaged or incomplete: download it again, or save it again"


class FileSource:
    """One file, opened once and read by position.

    Args:
        file: a path, or a binary file that somebody else opened: it stays open then, and its
            position stays where it is as far as the platform has positional reads.

    Attributes:
        path: of the file, for errors.
        size: in bytes, when it was opened.
        is_path: whether a path was given; only then `close` closes the file.

    Raises:
        CheckpointError: the path cannot be opened, or is a directory, pipe, socket or device.
    """

    def __init__(self, file: PathLike | BinaryIO) -> None:
        self._lock = threading.Lock()
        self.is_path = isinstance(file, (str, os.PathLike))
        if isinstance(file, (str, os.PathLike)):
            self.path = os.fspath(file)
            self._file: BinaryIO = _open(self.path)
        else:
            self.path = str(getattr(file, "name", "the open file"))
            self._file = file
        self._descriptor = _descriptor(self._file)
        self.size = self._measure()

    def read(self, offset: int, nbytes: int) -> bytes:
        """Exactly `nbytes` bytes from `offset`, or a CheckpointError."""
        self._check_range(offset, nbytes)
        buffer = bytearray(nbytes)
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from `offset`, or a CheckpointError."""
        self._check_range(offset, len(buffer))
        done = 0
        while done < len(buffer):
            try:
                count = self._read_some(offset + done, buffer[done:])
            except (OSError, ValueError) as error:
                raise CheckpointError(
                    self.path, f"reading failed: {error}", "Check the disk, then load it again."
                ) from error
            if not count:
                raise CheckpointError(
                    self.path, "the file became shorter while it was read", "Load it again."
                )
            done += count

    def damaged(self, problem: str) -> CheckpointError:
        """The error for a file that breaks the rules of its own format."""
        return CheckpointError(self.path, problem, f"{_DAMAGED}.")

    def close(self) -> None:
        if self.is_path:
            self._file.close()

    def __enter__(self) -> FileSource:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _measure(self) -> int:
        if self._descriptor is None:
            with self._lock:
                return self._file.seek(0, os.SEEK_END)
        status = os.fstat(self._descriptor)
        _require_regular(status.st_mode, self.path)
        return status.st_size

    def _check_range(self, offset: int, nbytes: int) -> None:
        if offset < 0 or nbytes < 0 or offset + nbytes > self.size:
            raise self.damaged(
                f"the file ends early: bytes {offset} to {offset + nbytes} are needed, "
                f"it has {self.size}"
            )

    def _read_some(self, offset: int, buffer: memoryview) -> int:
        if self._descriptor is not None and hasattr(os, "preadv"):
            return os.preadv(self._descriptor, [buffer], offset)
        with self._lock:
            self._file.seek(offset)
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _open(path: str) -> BinaryIO:
    # Looked at before it is opened: opening a pipe waits for a writer, opening a device may act.
    try:
        _require_regular(Path(path).stat().st_mode, path)
        return Path(path).open("rb", buffering=0)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CheckpointError(
            path, f"the file cannot be opened: {reason}", "Check the path and its permissions."
        ) from error


def _require_regular(mode: int, path: str) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = {
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    kind = kinds.get(stat.S_IFMT(mode), "no regular file")
    raise CheckpointError(path, f"this is {kind}", "Give the path of a checkpoint file.")


def _descriptor(file: BinaryIO) -> int | None:
    try:
        return file.fileno()
    except (OSError, AttributeError):
        return None
