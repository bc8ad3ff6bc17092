"""Tensors as torch pickles them: recipes that are read as data, never followed by calling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeGuard

import torch

from .bounds import check_bounds, overlaps_itself
from .source import FileSource
from .tensors import StoredTensor, Unreadable, span_of
from .unpickle import Call, Global, Persistent

__all__ = ["Region", "Storage", "TensorRecipes", "read_storage"]

_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "QInt8Storage": torch.qint8,
    "QUInt8Storage": torch.quint8,
    "QInt32Storage": torch.qint32,
}
_STORAGE_TYPES = {
    Global(module, name): dtype
    for module in ("torch", "torch.cuda")
    for name, dtype in _STORAGES.items()
} | {
    Global("torch.storage", "UntypedStorage"): torch.uint8,
    Global("torch.storage", "_UntypedStorage"): torch.uint8,
    Global("torch", "UntypedStorage"): torch.uint8,
}
_DTYPES = {
    Global("torch", str(dtype).removeprefix("torch.")): dtype
    for dtype in vars(torch).values()
    if isinstance(dtype, torch.dtype)
}

_TENSOR = Global("torch._utils", "_rebuild_tensor")
_TENSOR_V2 = Global("torch._utils", "_rebuild_tensor_v2")
_TENSOR_V3 = Global("torch._utils", "_rebuild_tensor_v3")
_PARAMETER = Global("torch._utils", "_rebuild_parameter")
_PARAMETER_WITH_STATE = Global("torch._utils", "_rebuild_parameter_with_state")
_FROM_TYPE = Global("torch._tensor", "_rebuild_from_type_v2")
_PLAIN_TYPES = {
    Global("torch.nn.parameter", "Parameter"),
    Global("torch", "Tensor"),
    Global("torch._tensor", "Tensor"),
}
_UNREADABLE = {
    "_rebuild_qtensor": "a quantised tensor",
    "_rebuild_sparse_tensor": "a sparse tensor",
    "_rebuild_sparse_csr_tensor": "a sparse tensor",
    "_rebuild_nested_tensor": "a nested tensor",
    "_rebuild_meta_tensor_no_storage": "a meta tensor, which has no values",
    "_rebuild_wrapper_subclass": "a tensor of a class of its own",
}
_MOST_DIMENSIONS = 16
_DEEPEST = 8


@dataclass(frozen=True)
class Storage:
    """A run of elements that the pickle refers to by a key.

    Attributes:
        start, numel: the part of it that is meant, in elements.
    """

    key: str
    dtype: torch.dtype
    total: int
    start: int
    numel: int


class Region(NamedTuple):
    """Where a storage lies in the file.

    Attributes:
        offset, nbytes: its first byte and its length.
        checksum: CRC-32 of these bytes, where the file has one.
    """

    offset: int
    nbytes: int
    checksum: int | None = None


def read_storage(node: Persistent, source: FileSource) -> Storage:
    """Read ``("storage", type, key, location, numel)``, which torch's legacy format may extend."""
    parts = node.reference
    if (
        not isinstance(parts, tuple)
        or len(parts) not in (5, 6)
        or parts[0] not in ("storage", b"storage")
    ):
        raise source.damaged("its pickle refers to something that is no storage")
    kind, key, numel = parts[1], parts[2], parts[4]
    dtype = _STORAGE_TYPES.get(kind) if isinstance(kind, Global) else None
    if dtype is None or not isinstance(key, str) or not _is_count(numel):
        raise source.damaged(f"its pickle refers to a storage of an unknown kind{_named(kind)}")
    view = parts[5] if len(parts) == 6 else None
    if view is None:
        return Storage(key, dtype, numel, 0, numel)
    if not isinstance(view, tuple) or len(view) != 3 or not all(map(_is_count, view[1:])):
        raise source.damaged(f"its storage {key:.80} has a view that makes no sense")
    if view[1] + view[2] > numel:
        raise source.damaged(f"its storage {key:.80} has a view that is longer than itself")
    return Storage(key, dtype, numel, view[1], view[2])


class TensorRecipes:
    """Turns calls of torch's rebuilding functions into places in the file.

    Args:
        source: the file.
        locate: where a storage lies in it.
        big_endian: the order of the bytes in its elements.
    """

    def __init__(
        self, source: FileSource, locate: Callable[[Storage], Region], *, big_endian: bool
    ) -> None:
        self.source = source
        self.locate = locate
        self.big_endian = big_endian

    def recognises(self, call: Call) -> bool:
        """Whether the call would make a tensor, of whatever kind."""
        function = call.function
        return isinstance(function, Global) and (
            (
                function.module in ("torch._utils", "torch._tensor", "torch.tensor")
                and function.name.startswith("_rebuild")
            )
            or function in _PLAIN_TYPES
        )

    def read(self, call: Call) -> StoredTensor | Unreadable:
        """The tensor that the call would make, or what kind of tensor it is that is no weight."""
        for _ in range(_DEEPEST):
            function, arguments = call.function, call.arguments
            if not isinstance(function, Global) or not isinstance(arguments, tuple):
                break
            if function in (_TENSOR, _TENSOR_V2, _TENSOR_V3):
                return self._dense(function, arguments)
            if function == _FROM_TYPE and len(arguments) == 4:
                inner, kind, inner_arguments, _ = arguments
                if not isinstance(kind, Global) or kind not in _PLAIN_TYPES:
                    return Unreadable(f"a tensor of a class of its own{_named(kind)}")
                call = Call(inner, inner_arguments)
            elif function in (_PARAMETER, _PARAMETER_WITH_STATE) and arguments:
                if not isinstance(arguments[0], Call):
                    break
                call = arguments[0]
            else:
                return Unreadable(
                    _UNREADABLE.get(function.name, f"a tensor made by{_named(function)}")
                )
        raise self.source.damaged("its pickle has a tensor that is put together wrongly")

    def _dense(self, function: Global, arguments: tuple[object, ...]) -> StoredTensor | Unreadable:
        least = {_TENSOR: 4, _TENSOR_V2: 6, _TENSOR_V3: 7}[function]
        if len(arguments) < least or not isinstance(arguments[0], Persistent):
            raise self.source.damaged("its pickle has a tensor without a storage")
        storage = read_storage(arguments[0], self.source)
        first, shape, stride = arguments[1:4]
        if not _is_count(first) or not _is_shape(shape) or not _is_shape(stride):
            raise self.source.damaged("its pickle has a tensor without a proper shape")
        if len(shape) != len(stride):
            raise self.source.damaged("its pickle has a tensor with more sizes than strides")
        dtype = storage.dtype
        if function == _TENSOR_V3:
            named = _DTYPES.get(arguments[6]) if isinstance(arguments[6], Global) else None
            if named is None:
                return Unreadable(f"a tensor of an unknown dtype{_named(arguments[6])}")
            dtype = named
        tensor = self._place(storage, dtype, first, shape, stride)
        kind = _unreadable_kind(tensor, arguments[least:])
        return Unreadable(kind) if kind else tensor

    def _place(
        self,
        storage: Storage,
        dtype: torch.dtype,
        first: int,
        shape: tuple[int, ...],
        stride: tuple[int, ...],
    ) -> StoredTensor:
        region = self.locate(storage)
        start, step = storage.start * storage.dtype.itemsize, dtype.itemsize
        end = start + (first + span_of(shape, stride)) * step
        if start % step or end > start + storage.numel * storage.dtype.itemsize:
            raise self.source.damaged(f"a tensor of shape {list(shape)} reaches out of its storage")
        # The whole storage and not the part that is meant, so that sharing is seen and counted.
        tensor = StoredTensor(
            self.source,
            dtype,
            shape,
            stride,
            region.offset,
            region.nbytes,
            start // step + first,
            self.big_endian,
            region.checksum,
        )
        check_bounds(tensor)
        return tensor


def _unreadable_kind(tensor: StoredTensor, metadata: tuple[object, ...]) -> str:
    if tensor.dtype.is_complex:
        return "a complex tensor"
    if str(tensor.dtype).startswith(("torch.q", "torch.bits")):
        return "a quantised tensor"
    if overlaps_itself(tensor):
        return "a tensor whose elements share their memory"
    if metadata and not _is_empty(metadata[0]):
        return "a tensor that is conjugated or negated lazily"
    return ""


def _named(node: object) -> str:
    # Only names are put into messages: anything else could be as large as the file wants.
    return f" ({str(node)[:80]})" if isinstance(node, Global) else ""


def _is_empty(metadata: object) -> bool:
    return metadata is None or not getattr(metadata, "items", metadata)


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 1 << 62


def _is_shape(value: object) -> TypeGuard[tuple[int, ...]]:
    return (
        isinstance(value, tuple) and len(value) <= _MOST_DIMENSIONS and all(map(_is_count, value))
    )
