"""Whether a tensor lies where it may, and what all weights may take together."""

from __future__ import annotations

import io

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clip.checkpoint.bounds import check_bounds, check_weights, overlaps_itself
from clip.checkpoint.source import FileSource
from clip.checkpoint.tensors import StoredTensor
from clip.errors import CheckpointError

FILE = FileSource(io.BytesIO(bytes(4096)))


def tensor(
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    first: int = 0,
    *,
    offset: int = 0,
    nbytes: int = 400,
) -> StoredTensor:
    return StoredTensor(FILE, torch.float32, shape, stride, offset, nbytes, first)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=4))
def test_overlap_is_never_missed(dimensions: list[tuple[int, int]]) -> None:
    shape = tuple(size for size, _ in dimensions)
    stride = tuple(step for _, step in dimensions)
    places = torch.as_strided(torch.arange(200), shape, stride).flatten().tolist()
    if len(set(places)) < len(places):
        assert overlaps_itself(tensor(shape, stride))


@given(st.permutations((2, 3, 4)), st.permutations(range(3)))
def test_permuted_tensors_do_not_overlap(sizes: list[int], order: list[int]) -> None:
    view = torch.empty(sizes).permute(*order)
    assert not overlaps_itself(tensor(tuple(view.shape), view.stride()))


def test_the_last_element_may_end_the_storage() -> None:
    check_bounds(tensor((10, 10), (10, 1)))
    check_bounds(tensor((1,), (1,), 99))
    check_bounds(tensor((), (), 99))


@pytest.mark.parametrize(
    "outside",
    [
        tensor((10, 10), (10, 1), 1),
        tensor((101,), (1,)),
        tensor((2,), (100,)),
        tensor((), (), 100),
        tensor((1,), (1,), -1),
        tensor((1,), (1,), offset=4000),
        tensor((1,), (1,), offset=-4),
        tensor((2**62, 2**62), (2**62, 2**62)),
    ],
)
def test_places_outside_are_refused(outside: StoredTensor) -> None:
    with pytest.raises(CheckpointError, match="reaches out of"):
        check_bounds(outside)


def test_weights_may_share_a_storage_but_not_its_bytes_twice() -> None:
    halves = {"q": tensor((50,), (1,)), "k": tensor((50,), (1,), 50)}
    check_weights(halves, "a.pt")
    with pytest.raises(CheckpointError, match="have 404 bytes, but share storages of 400"):
        check_weights({**halves, "v": tensor((1,), (1,))}, "a.pt")


def test_parts_of_a_weight_count() -> None:
    part = tensor((100,), (1,))
    with pytest.raises(CheckpointError, match="have 800 bytes"):
        check_weights({"qkv": (part, part)}, "a.pt")


def test_a_counter_may_be_whole_and_a_weight_may_not() -> None:
    counter = StoredTensor(FILE, torch.int64, (), (), 0, 8)
    check_weights({"visual.bn1.num_batches_tracked": counter}, "a.pt")
    with pytest.raises(CheckpointError, match="logit_scale has the dtype int64"):
        check_weights({"logit_scale": counter}, "a.pt")
