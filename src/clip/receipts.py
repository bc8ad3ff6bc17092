"""Receipts: how a file that was hashed once is recognised later without reading it again.

A receipt lies beside its file (`ViT-B-32.pt.receipt`) and records the file's hash together with
what the file system said of it then: size, times, inode and device. It is believed only while
all of that is unchanged, and only when file and receipt belong to the current user or to root
and nobody else can write them; whoever could have changed the one could have forged the other.
Everything works on the open file, so what was verified is what is read.

Windows says too little about owners and changes for that: there a file is hashed at every load.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["is_trusted", "receipt_path", "sha256_of", "verify", "verify_path", "write"]

_PIECE = 1 << 20
_MAX_RECEIPT = 4096

# The coarsest clock of a file system in use (FAT's) ticks every two seconds.
_COARSEST_TICK_NS = 2_000_000_000


def receipt_path(path: str | os.PathLike[str]) -> Path:
    """Where the receipt of a file lies.

    >>> receipt_path("cache/RN50.pt").name
    'RN50.pt.receipt'
    """
    path = Path(path)
    return path.with_name(path.name + ".receipt")


def sha256_of(file: BinaryIO, progress: Callable[[int], None] | None = None) -> str:
    """SHA-256 of a whole open file, as 64 lower-case hexadecimal digits.

    Reads by position, so the file's own position neither matters nor moves, and other threads
    may read the same file meanwhile; the interpreter lock is released during the work.

    Args:
        file: a file opened for reading in binary mode.
        progress: is told the number of bytes hashed so far, about once per MiB.

    >>> import tempfile
    >>> with tempfile.TemporaryFile() as file:
    ...     _ = file.write(b"abc"), file.flush()
    ...     sha256_of(file)[:8]
    'ba7816bf'
    """
    digest = hashlib.sha256()
    done = 0
    read_at, close = _positional_reader(file)
    try:
        while piece := read_at(done):
            digest.update(piece)
            done += len(piece)
            if progress:
                progress(done)
    finally:
        close()
    return digest.hexdigest()


def _positional_reader(
    file: BinaryIO,
) -> tuple[Callable[[int], bytes], Callable[[], None]]:
    if hasattr(os, "pread"):
        descriptor = file.fileno()
        return lambda offset: os.pread(descriptor, _PIECE, offset), lambda: None

    # Windows has no pread, but nobody can put another file at the path of an open one.
    again = Path(file.name).open("rb", buffering=0)  # noqa: SIM115

    def read_at(offset: int) -> bytes:
        again.seek(offset)
        return again.read(_PIECE)

    return read_at, again.close


def is_trusted(file: BinaryIO, path: str | os.PathLike[str], sha256: str) -> bool:
    """Whether a believable receipt says that this open file has this hash.

    Args:
        file: the file as the caller opened it, and will read it.
        path: where it was opened; its receipt is looked for beside it.
        sha256: the hash that it should have.
    """
    if os.name != "posix":
        return False
    try:
        receipt, receipt_status = _read(receipt_path(path))
        status = os.fstat(file.fileno())
    except (OSError, ValueError):
        return False
    return (
        receipt == _facts(status, sha256)
        and _only_ours(status)
        and _only_ours(receipt_status)
        # A change in the same tick of the file system's clock would leave the times as they are.
        and receipt_status.st_mtime_ns > max(status.st_ctime_ns, status.st_mtime_ns)
    )


def verify(
    file: BinaryIO,
    path: str | os.PathLike[str],
    sha256: str,
    progress: Callable[[int], None] | None = None,
) -> bool:
    """Whether the open file has this hash, by hashing it.

    If it has, a receipt is left; if not, a receipt that is there is wrong (a disk can lose bits
    without a trace in any time) and goes.

    Args:
        file: the file as the caller opened it, and will read it.
        path: where it was opened; the receipt goes beside it.
        sha256: the hash that it should have.
        progress: as for `sha256_of`.
    """
    before = os.fstat(file.fileno())
    if sha256_of(file, progress) != sha256:
        with suppress(OSError):
            receipt_path(path).unlink()
        return False
    after = os.fstat(file.fileno())
    untouched = _facts(before, sha256) == _facts(after, sha256)
    if untouched and time.time_ns() - before.st_ctime_ns > _COARSEST_TICK_NS:
        write(file, path, sha256)
    return True


def verify_path(path: Path, sha256: str, nbytes: int | None = None) -> bool:
    """Whether there is a file with this hash, by its receipt or else by hashing it.

    Args:
        path: of the file; it need not exist.
        sha256: the hash that it should have.
        nbytes: the size that it should have, where known: saves hashing a file that is cut.
    """
    try:
        with path.open("rb") as file:
            if nbytes is not None and os.fstat(file.fileno()).st_size != nbytes:
                return False
            return is_trusted(file, path, sha256) or verify(file, path, sha256)
    except FileNotFoundError:
        return False


def write(file: BinaryIO, path: str | os.PathLike[str], sha256: str) -> None:
    """Leave a receipt saying that the open file, as it is now, has this hash.

    A receipt that cannot be written (a read-only or foreign cache) is no error: the next load
    hashes again.
    """
    if os.name != "posix":
        return
    receipt = receipt_path(path)
    draft = receipt.with_name(f"{receipt.name}.{os.getpid()}-{time.monotonic_ns()}")
    with suppress(OSError):
        status = os.fstat(file.fileno())
        try:
            _write_later_than(status, draft, json.dumps(_facts(status, sha256)))
            draft.replace(receipt)
        finally:
            draft.unlink(missing_ok=True)


def _write_later_than(status: os.stat_result, path: Path, text: str) -> None:
    """Write a file whose time is later than the given one's, if a moment's patience gives that."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    for _ in range(20):
        descriptor = os.open(path, flags, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        if path.stat().st_mtime_ns > max(status.st_ctime_ns, status.st_mtime_ns):
            return
        time.sleep(0.004)


def _facts(status: os.stat_result, sha256: str) -> dict[str, Any]:
    return {
        "sha256": sha256,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns,
        "inode": status.st_ino,
        "device": status.st_dev,
    }


def _read(path: Path) -> tuple[Any, os.stat_result]:
    # No symbolic link is followed and no pipe waited for, whatever someone put there.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        return json.loads(file.read(_MAX_RECEIPT)), status


def _only_ours(status: os.stat_result) -> bool:
    others_write = stat.S_IWGRP | stat.S_IWOTH
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & others_write
