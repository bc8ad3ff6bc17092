"""The safetensors format: a header in JSON, then the bytes of the tensors without gaps."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import torch

from .budget import Budget
from .contents import Contents
from .source import FileSource
from .tensors import StoredTensor, Unreadable

__all__ = ["is_safetensors", "read_safetensors"]

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_LONGEST_HEADER = 8 << 20
_LONGEST_NAME = 512
_MOST_DIMENSIONS = 16
_MOST_DIGITS = 19


def is_safetensors(start: bytes) -> bool:
    """Whether the first 9 bytes are those of a header: its length, then a brace."""
    return len(start) >= 9 and start[8:9] == b"{" and start[5:8] == b"\0\0\0"


def read_safetensors(source: FileSource, budget: Budget) -> Contents:
    """Read the header, and place the tensors behind it.

    Raises:
        CheckpointError: the header lies about the bytes, or leaves some of them out.
    """
    length = struct.unpack("<Q", source.read(0, 8))[0]
    if length > _LONGEST_HEADER:
        raise source.damaged(f"its header claims to have {length} bytes, which is too long")
    text = source.read(8, length)
    # Each value of the JSON text costs some 100 bytes as an object, and ends at one of these.
    budget.spend(4 * length + 128 * sum(text.count(mark) for mark in (b",", b"[", b"{", b":")))
    header = _parse(text, source)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise source.damaged("its metadata are no texts")
    start = 8 + length
    places = []
    tree: dict[str, StoredTensor | Unreadable] = {}
    for name, entry in header.items():
        budget.spend(1024)
        begin, end = _place(source, name, entry, start)
        places.append((begin, end, name))
        tree[name] = _tensor(source, name, entry, begin, end - begin)
    _check_cover(source, sorted(places), start)
    return Contents("safetensors", tree, metadata)


def _parse(text: bytes, source: FileSource) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) != len(pairs):
            raise ValueError("a name stands there twice")
        return entries

    def whole(digits: str) -> int:
        if len(digits) > _MOST_DIGITS:
            raise ValueError("a number is too large")
        return int(digits)

    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=unique, parse_int=whole)
    except (ValueError, RecursionError) as error:
        raise source.damaged(f"its header is no proper JSON ({str(error)[:80]})") from error
    if not isinstance(header, dict):
        raise source.damaged("its header is no JSON object")
    return header


def _place(source: FileSource, name: str, entry: Any, start: int) -> tuple[int, int]:
    """Where the bytes of a tensor begin and end in the file."""
    if len(name) > _LONGEST_NAME:
        raise source.damaged(f"the name {name:.60}… in it is too long")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise source.damaged(f"its header describes {name} wrongly")
    offsets = entry["data_offsets"]
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise source.damaged(f"its header gives {name} a place that makes no sense")
    if start + offsets[1] > source.size:
        raise source.damaged(f"the file ends early: {name} reaches out of it")
    return start + offsets[0], start + offsets[1]


def _tensor(
    source: FileSource, name: str, entry: Any, offset: int, nbytes: int
) -> StoredTensor | Unreadable:
    kind, shape = entry["dtype"], entry["shape"]
    if not isinstance(kind, str) or not _are_counts(shape) or len(shape) > _MOST_DIMENSIONS:
        raise source.damaged(f"its header gives {name} a shape or dtype that makes no sense")
    dtype = _DTYPES.get(kind)
    if dtype is None:
        return Unreadable(f"a tensor of dtype {kind[:40]}")
    if math.prod(shape) * dtype.itemsize != nbytes:
        raise source.damaged(f"{name} has {nbytes} bytes, which does not fit its shape")
    return StoredTensor(source, dtype, tuple(shape), _contiguous(shape), offset, nbytes)


def _contiguous(shape: list[int]) -> tuple[int, ...]:
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _check_cover(source: FileSource, places: list[tuple[int, int, str]], start: int) -> None:
    """The tensors must lie side by side up to the file's end, as the format demands."""
    end = start
    for begin, after, name in places:
        if begin != end:
            how = "overlaps another tensor" if begin < end else "leaves a gap before it"
            raise source.damaged(f"{name} {how}")
        end = after
    if end != source.size:
        raise source.damaged(f"it has {source.size - end} bytes that its header does not explain")
