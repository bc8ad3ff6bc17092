"""From bytes in a file to tensors in the wanted dtype."""

from __future__ import annotations

import io
import itertools

import pytest
import torch

from clip.checkpoint.materialise import Target, materialise
from clip.checkpoint.source import FileSource
from clip.checkpoint.tensors import StoredTensor
from clip.errors import CheckpointError

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
LARGE = (70, 1000, 131)
"""9 million elements: several pieces of each kind."""


def stored(tensor: torch.Tensor, *, big_endian: bool = False, shift: int = 3) -> StoredTensor:
    """A tensor's storage in a file, where nothing is aligned."""
    raw = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage()).numpy()
    if big_endian:
        raw = raw.reshape(-1, tensor.itemsize)[:, ::-1]
    content = bytes(shift) + raw.tobytes()
    return StoredTensor(
        FileSource(io.BytesIO(content)),
        tensor.dtype,
        tuple(tensor.shape),
        tensor.stride(),
        shift,
        len(content) - shift,
        tensor.storage_offset(),
        big_endian,
    )


def read(
    tensor: StoredTensor, dtype: torch.dtype | None = None, *, through_half: bool = False
) -> torch.Tensor:
    target = torch.empty(tensor.shape, dtype=dtype or tensor.dtype)
    materialise([Target(tensor, target, through_half)], checksums=True)
    return target


@pytest.mark.parametrize(("start", "end"), list(itertools.product(FLOATS, FLOATS)))
@pytest.mark.parametrize("big_endian", [False, True])
def test_every_conversion_is_torch_s(
    start: torch.dtype, end: torch.dtype, big_endian: bool
) -> None:
    tensor = torch.randn(300, 1001).to(start)
    assert torch.equal(read(stored(tensor, big_endian=big_endian), end), tensor.to(end))


@pytest.mark.parametrize("start", FLOATS)
def test_rounding_through_half(start: torch.dtype) -> None:
    tensor = (torch.randn(100, 1000) * 1000).to(start)
    assert torch.equal(
        read(stored(tensor), torch.float32, through_half=True), tensor.half().float()
    )
    if start == torch.float32:
        assert not torch.equal(tensor, tensor.half().float())


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_large_tensors_in_any_order_of_dimensions(
    order: tuple[int, ...], dtype: torch.dtype
) -> None:
    tensor = torch.arange(70 * 1000 * 131, dtype=torch.float32).reshape(LARGE) % 2039
    view = tensor.to(dtype).permute(*order)
    assert torch.equal(read(stored(view), torch.float32), view.float())


def test_large_tensors_with_gaps() -> None:
    view = torch.arange(70 * 1000 * 131, dtype=torch.float32).reshape(LARGE)[3::2, 10:900, 5:]
    assert torch.equal(read(stored(view)), view)
    assert torch.equal(read(stored(view), torch.float64), view.double())


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1), (0,), (3, 0, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_small_shapes(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    tensor = torch.randn(shape)
    assert torch.equal(read(stored(tensor), dtype), tensor.to(dtype))


def test_whole_numbers() -> None:
    counter = torch.tensor(2**40 + 1)
    assert read(stored(counter)) == counter


def test_parts_of_one_target() -> None:
    parts = [torch.randn(10, 5), torch.randn(20, 5)]
    whole = torch.empty(30, 5, dtype=torch.float64)
    targets = [
        Target(stored(parts[0]), whole[:10], through_half=False),
        Target(stored(parts[1]), whole[10:], through_half=False),
    ]
    materialise(targets, checksums=True)
    assert torch.equal(whole, torch.cat(parts).double())


def test_the_number_of_threads_of_torch_stays_as_it_was() -> None:
    threads = torch.get_num_threads()
    read(stored(torch.randn(1000, 1000)), torch.float64)
    assert torch.get_num_threads() == threads


class Shrinking(io.BytesIO):
    """Says that it is longer than it is."""

    def seek(self, offset: int, whence: int = 0) -> int:
        return 10**6 if whence else super().seek(offset)


def test_a_file_that_ends_early_is_an_error() -> None:
    source = FileSource(Shrinking(bytes(100)))
    tensor = StoredTensor(source, torch.float32, (1000,), (1,), 0, 4000)
    for dtype in (torch.float32, torch.float64):
        with pytest.raises(CheckpointError, match="became shorter"):
            read(tensor, dtype)


@pytest.mark.parametrize("checksums", [True, False])
def test_a_wrong_checksum_is_an_error_where_it_is_looked_at(checksums: bool) -> None:
    source = FileSource(io.BytesIO(bytes(16)))
    tensor = StoredTensor(source, torch.float32, (4,), (1,), 0, 16, checksum=1)
    target = Target(tensor, torch.empty(4), through_half=False)
    if checksums:
        with pytest.raises(CheckpointError, match="do not fit their checksum"):
            materialise([target], checksums=True)
    else:
        materialise([target], checksums=False)
        assert torch.equal(target.tensor, torch.zeros(4))
