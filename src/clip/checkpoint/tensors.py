"""What a checkpoint holds before anything is read: tensors as places in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

__all__ = ["ByteSource", "StoredTensor"]


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
    """A dense tensor as a strided window on a run of bytes of a file.

    Attributes:
        source: the open file.
        dtype: of the elements as stored.
        shape, stride: in elements, as torch counts them.
        offset: where the tensor's storage starts in the file, in bytes.
        nbytes: length of that storage.
        storage_offset: first element of the tensor in its storage, in elements.
    """

    source: ByteSource
    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    nbytes: int
    storage_offset: int = 0
