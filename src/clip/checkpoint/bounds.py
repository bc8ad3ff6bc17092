"""Whether a tensor lies within its storage, and whether its elements are distinct."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ..errors import CheckpointError
from .layouts import Entry
from .tensors import StoredTensor

__all__ = ["check_bounds", "check_weights", "overlaps_itself"]

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_SPARSEST = 16


def check_bounds(tensor: StoredTensor) -> None:
    """Raise a CheckpointError if the tensor reaches out of its storage, or that out of the file."""
    if tensor.offset < 0 or tensor.nbytes < 0 or tensor.offset + tensor.nbytes > tensor.source.size:
        raise _outside(tensor, "the file")
    if min((tensor.storage_offset, *tensor.shape, *tensor.stride)) < 0:
        raise _outside(tensor, "its storage")
    if (tensor.storage_offset + tensor.span) * tensor.itemsize > tensor.nbytes:
        raise _outside(tensor, "its storage")


def overlaps_itself(tensor: StoredTensor) -> bool:
    """Whether two elements may share their place, as after ``expand``."""
    reach = 0
    for step, size in sorted(zip(tensor.stride, tensor.shape, strict=True)):
        if size > 1:
            if step <= reach:
                return True
            reach += step * (size - 1)
    return False


def check_weights(tensors: Mapping[str, Entry], path: str) -> None:
    """Refuse weights that would take more memory than the file has bytes for them.

    The same storage may serve several weights, but all weights together must not have more bytes
    than all their storages.

    Raises:
        CheckpointError: so, or a weight is empty, widely scattered, or of a dtype that no CLIP has.
    """
    storages: dict[tuple[int, int], int] = {}
    total = 0
    for name, entry in tensors.items():
        for part in entry if isinstance(entry, tuple) else (entry,):
            check_bounds(part)
            _check_dense(name, part, path)
            total += part.numel * part.itemsize
            place = (id(part.source), part.offset)
            storages[place] = max(part.nbytes, storages.get(place, 0))
    if total > sum(storages.values()):
        raise CheckpointError(
            path,
            f"its weights have {total} bytes, but share storages of {sum(storages.values())}",
            "If you trust it, save each tensor as a clone of its own.",
        )


def _check_dense(name: str, tensor: StoredTensor, path: str) -> None:
    if tensor.dtype not in _FLOATS and not name.endswith("num_batches_tracked"):
        raise CheckpointError(
            path,
            f"{name} has the dtype {str(tensor.dtype).removeprefix('torch.')}",
            "Weights must be float16, bfloat16, float32 or float64: save them in one of these.",
        )
    if not tensor.numel:
        raise CheckpointError(
            path, f"{name} has no elements", "Use the checkpoint of a whole model."
        )
    if overlaps_itself(tensor) or tensor.span > _SPARSEST * tensor.numel:
        raise CheckpointError(
            path,
            f"{name} is no dense tensor: it is a view with strides {list(tensor.stride)}",
            "Save it with .clone(memory_format=torch.contiguous_format).",
        )


def _outside(tensor: StoredTensor, place: str) -> CheckpointError:
    return CheckpointError(
        tensor.source.path,
        f"a tensor of shape {list(tensor.shape)} reaches out of {place}",
        "The file is damaged or incomplete: download it again, or save it again.",
    )
