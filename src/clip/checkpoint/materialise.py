"""From places in a file to torch tensors in memory of their own, in the dtype that is wanted.

Each byte of the file is read once, in pieces small enough to stay in the processor's cache between
reading and converting, and each byte of the result is written once. Two threads share the work.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import torch

from .checksums import check_sum
from .tensors import StoredTensor, span_of

__all__ = ["Target", "materialise"]

_PIECE = 32_000
"""Elements. torch spreads a copy of 32,768 elements or more over threads of its own, which would
only compete with ours."""

_DIRECT_PIECE = 4 << 20
_JOB = 4 << 20
_THREADS = 2

_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True)
class Target:
    """Where a tensor of the file goes.

    Attributes:
        tensor: of the same shape, contiguous, to be filled.
        through_half: round the values to float16 on the way.
    """

    stored: StoredTensor
    tensor: torch.Tensor
    through_half: bool


@dataclass(frozen=True)
class _Window:
    """A part of a tensor: a box of indices that lies close together in the file."""

    start: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    target: torch.Tensor

    @property
    def span(self) -> int:
        return span_of(self.shape, self.stride)

    def split(self, longest: int) -> Iterator[_Window]:
        """The same elements in windows that reach over at most `longest` elements of the file."""
        if self.span <= longest:
            yield self
            return
        # Cut across the dimension that reaches farthest, so that each part is one run of the file.
        dim = max(range(len(self.shape)), key=lambda d: self.stride[d] * (self.shape[d] > 1))
        step, size = self.stride[dim], self.shape[dim]
        rest = self.span - (size - 1) * step
        count = max(1, 1 + (longest - rest) // step)
        for first in range(0, size, count):
            length = min(count, size - first)
            yield from _Window(
                self.start + first * step,
                (*self.shape[:dim], length, *self.shape[dim + 1 :]),
                self.stride,
                self.target.narrow(dim, first, length),
            ).split(longest)


def materialise(targets: list[Target], *, checksums: bool) -> None:
    """Fill every target from the file.

    Args:
        checksums: compare each storage with its checksum, where the file has one.

    Raises:
        CheckpointError: the file cannot be read to its end, or a checksum is wrong.
    """
    jobs = _checks(target.stored for target in targets) if checksums else []
    jobs += [partial(_fill, target, window) for target in targets for window in _parts(target)]
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as threads:
        for done in [threads.submit(job) for job in jobs]:
            done.result()


def _checks(tensors: Iterable[StoredTensor]) -> list[partial[None]]:
    """One check for each storage, however many tensors share it."""
    storages = {(id(tensor.source), tensor.offset): tensor for tensor in tensors}
    return [
        partial(check_sum, tensor.source, tensor.offset, tensor.nbytes, tensor.checksum)
        for tensor in storages.values()
    ]


def _parts(target: Target) -> Iterator[_Window]:
    """Cut large tensors, so that the threads get to the end at about the same time."""
    stored = target.stored
    if stored.numel:
        whole = _Window(stored.storage_offset, stored.shape, stored.stride, target.tensor)
        yield from whole.split(_JOB)


def _fill(target: Target, window: _Window) -> None:
    if _is_plain_copy(target, window):
        _read_directly(target.stored, window)
    else:
        for piece in window.split(_PIECE):
            _convert(target, piece)


def _is_plain_copy(target: Target, window: _Window) -> bool:
    """Whether the bytes of the file are those of the target, one after the other."""
    stored = target.stored
    return (
        window.target.dtype == stored.dtype
        and not (target.through_half and stored.dtype != torch.float16)
        and (not stored.big_endian or stored.itemsize == 1)
        and window.target.is_contiguous()
        and _is_contiguous(window)
    )


def _is_contiguous(window: _Window) -> bool:
    step = 1
    for size, stride in zip(reversed(window.shape), reversed(window.stride), strict=True):
        if size != 1 and stride != step:
            return False
        step *= size
    return True


def _read_directly(stored: StoredTensor, window: _Window) -> None:
    memory = window.target.reshape(-1).view(torch.uint8).numpy().data
    start = stored.offset + window.start * stored.itemsize
    for first in range(0, len(memory), _DIRECT_PIECE):
        stored.source.read_into(start + first, memory[first : first + _DIRECT_PIECE])


class _Scratch(threading.local):
    """Memory of each thread for one piece, used again and again."""

    def __init__(self) -> None:
        self.memory = bytearray(_PIECE * 8)


_scratch = _Scratch()


def _convert(target: Target, piece: _Window) -> None:
    stored = target.stored
    memory = _scratch.memory
    nbytes = piece.span * stored.itemsize
    stored.source.read_into(
        stored.offset + piece.start * stored.itemsize, memoryview(memory)[:nbytes]
    )
    run = torch.frombuffer(memory, dtype=stored.dtype, count=piece.span)
    if stored.big_endian and stored.itemsize > 1:
        _swap_bytes(run)
    values = run.as_strided(piece.shape, piece.stride)
    if target.through_half:
        values = values.to(torch.float16)
    piece.target.copy_(values)


def _swap_bytes(run: torch.Tensor) -> None:
    run.view(_BITS[run.element_size()]).numpy().byteswap(inplace=True)
