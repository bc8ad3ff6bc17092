"""Compare bytes of a file with the checksum that a zip archive keeps of them."""

from __future__ import annotations

import zlib

from ..errors import CheckpointError
from .tensors import ByteSource

__all__ = ["check_sum"]

_PIECE = 256 << 10


def check_sum(source: ByteSource, offset: int, nbytes: int, checksum: int | None) -> None:
    """Raise a CheckpointError unless the bytes have this CRC-32; None passes."""
    if checksum is None:
        return
    piece = memoryview(bytearray(min(_PIECE, nbytes)))
    found = 0
    for first in range(0, nbytes, _PIECE):
        part = piece[: min(_PIECE, nbytes - first)]
        source.read_into(offset + first, part)
        found = zlib.crc32(part, found)
    if found != checksum:
        raise CheckpointError(
            source.path,
            f"{nbytes} bytes from byte {offset} do not fit their checksum",
            "The file is damaged: download it again, or save it again.",
        )
