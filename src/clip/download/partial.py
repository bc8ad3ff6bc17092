"""The part of a file that has arrived: kept beside the target until it is whole and right."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

__all__ = ["BROKEN_SUFFIX", "PARTIAL_SUFFIX", "Partial", "note_path"]

PARTIAL_SUFFIX = ".partial"
BROKEN_SUFFIX = ".broken"

_PIECE = 1 << 20


class Partial:
    """A partial file, open for appending, with the hash of what it holds.

    It is named after the hash that it should come to, so bytes meant for another version of the
    file are never continued. What a former process left is hashed again from the disk. A small
    note beside it remembers which version (ETag or date) of which address the bytes are from.

    Args:
        target: the final path; the partial file lies beside it.
        sha256: the hash that the whole file should have.

    Attributes:
        path: of the partial file.
        file: the open file.
        size: bytes that are here.
    """

    def __init__(self, target: Path, sha256: str) -> None:
        self._target = target
        self.sha256 = sha256
        self.path = target.with_name(f"{target.name}.{sha256[:8]}{PARTIAL_SUFFIX}")
        self._note = note_path(self.path)
        self.file = _open_regular(self.path)
        self._digest = hashlib.sha256()
        self.size = 0
        while piece := self.file.read(_PIECE):
            self._digest.update(piece)
            self.size += len(piece)

    def __enter__(self) -> Partial:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.file.close()
        if not self.size:
            self._remove()

    def validator(self, origin: str) -> str | None:
        """The ETag or date under which `origin` served the bytes here, if they are its bytes."""
        with suppress(OSError, ValueError, AttributeError):
            note = json.loads(self._note.read_text(encoding="utf-8"))
            if note.get("origin") == _fingerprint(origin) and isinstance(note["validator"], str):
                return str(note["validator"])
        return None

    def remember(self, origin: str, validator: str | None) -> None:
        """Note where the bytes come from, as far as the next call needs to know."""
        note = {"origin": _fingerprint(origin), "validator": validator}
        # A file of its own, never what lies there: that may be another user's, or a link.
        self._note.unlink(missing_ok=True)
        with self._note.open("x", encoding="utf-8") as file:
            json.dump(note, file)

    def append(self, piece: bytes) -> None:
        self.file.write(piece)
        self._digest.update(piece)
        self.size += len(piece)

    def clear(self) -> None:
        """Forget everything that has arrived."""
        self.file.seek(0)
        self.file.truncate()
        self._digest = hashlib.sha256()
        self.size = 0

    def is_right(self) -> bool:
        return self._digest.hexdigest() == self.sha256

    def hexdigest(self) -> str:
        return self._digest.hexdigest()

    def finish(self) -> None:
        """Give the file its final name, once every byte is on the disk."""
        os.fsync(self.file.fileno())
        self._move_to(self._target)

    def set_aside(self) -> Path:
        """Move the wrong file out of the way, to the place returned, and begin an empty one."""
        aside = self._target.with_name(self._target.name + BROKEN_SUFFIX)
        self._move_to(aside)
        self.file.close()
        self.file = _open_regular(self.path)
        self.clear()
        return aside

    def _move_to(self, path: Path) -> None:
        if os.name != "posix":
            self.file.close()  # an open file cannot be renamed there
        self.path.replace(path)
        _sync_folder(path.parent)
        self._remove()

    def _remove(self) -> None:
        for path in (self.path, self._note):
            with suppress(OSError):
                path.unlink()


def note_path(partial: Path) -> Path:
    """Where the note of a partial file lies."""
    return partial.with_name(partial.name + ".json")


def _sync_folder(folder: Path) -> None:
    """Bring a rename in a directory to the disk, where the platform can."""
    if os.name == "posix":
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _fingerprint(origin: str) -> str:
    """Tells addresses apart, whatever their signatures, and gives no credential away."""
    plain = origin.partition("?")[0].rpartition("@")[2]
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def _open_regular(path: Path) -> BinaryIO:
    """Open for reading and appending; whatever cannot be continued is replaced by a new file."""
    flags = os.O_RDWR | os.O_CREAT
    for harden in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC"):
        flags |= getattr(os, harden, 0)
    try:
        descriptor = os.open(path, flags, 0o644)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return os.fdopen(descriptor, "r+b", buffering=0)
        os.close(descriptor)
    except PermissionError:
        pass  # another user's, of a shared cache
    except OSError:
        if not path.is_symlink():
            raise
    path.unlink()
    return os.fdopen(os.open(path, flags | os.O_EXCL, 0o644), "r+b", buffering=0)
