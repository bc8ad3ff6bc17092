"""What a checkpoint holds before anything is read: tensors as places in a file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch

__all__ = ["ByteSource", "StoredTensor", "Unreadable", "span_of"]


class ByteSource(Protocol):
    """One open file, read by position, so that several threads can share it."""

    path: str
    size: int

    def read(self, offset: int, nbytes: int) -> bytes:
        """Exactly `nbytes` bytes from `offset`, or a CheckpointError."""
        ...

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from `offset`, or a CheckpointError."""
        ...


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as a strided window on a run of bytes of a file.

    Attributes:
        source: the open file.
        dtype: of the elements as stored.
        shape, stride: in elements, as torch counts them.
        offset: where the tensor's storage starts in the file, in bytes.
        nbytes: length of that storage.
        storage_offset: first element of the tensor in its storage, in elements.
        big_endian: the order of the bytes within an element.
        checksum: CRC-32 of the whole storage, where the file has one.
    """

    source: ByteSource
    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    nbytes: int
    storage_offset: int = 0
    big_endian: bool = False
    checksum: int | None = None

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of an element as stored."""
        return self.dtype.itemsize

    @property
    def span(self) -> int:
        """Elements from the tensor's first to its last in the storage, both counted."""
        return span_of(self.shape, self.stride)


def span_of(shape: tuple[int, ...], stride: tuple[int, ...]) -> int:
    """Elements from the first to the last of a strided box, both counted.

    >>> span_of((3, 2), (10, 1))
    22
    """
    if 0 in shape:
        return 0
    return 1 + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))


@dataclass(frozen=True)
class Unreadable:
    """A tensor of a kind that is no weight, an error only where weights depend on it.

    Attributes:
        kind: what it is, for instance "a quantised tensor".
    """

    kind: str

    def __str__(self) -> str:
        return self.kind
