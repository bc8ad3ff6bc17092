"""Tensors as torch pickles them, against torch's own reading."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clip.checkpoint.budget import Budget
from clip.checkpoint.formats import read_contents
from clip.checkpoint.materialise import Target, materialise
from clip.checkpoint.source import FileSource
from clip.checkpoint.tensors import StoredTensor, Unreadable
from clip.errors import CheckpointError

FORMATS = pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
DTYPES = (
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool),
)


def values(stored: StoredTensor) -> torch.Tensor:
    """Read one tensor, as stored."""
    tensor = torch.empty(stored.shape, dtype=stored.dtype)
    materialise([Target(stored, tensor, through_half=False)], checksums=True)
    return tensor


def loaded(path: Path) -> Any:
    """The tree in a file, with the tensors read."""
    with FileSource(path) as source:
        tree = read_contents(source, Budget(source.path, source.size)).tree
        return {
            name: values(value) if isinstance(value, StoredTensor) else value
            for name, value in tree.items()
        }


@FORMATS
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype(save, dtype: torch.dtype, new: bool) -> None:
    tensor = torch.arange(12).reshape(3, 4).to(dtype)
    path = save({"a": tensor}, _use_new_zipfile_serialization=new)
    found = loaded(path)["a"]
    assert found.dtype == dtype
    assert torch.equal(found, tensor)


def test_dtypes_without_a_storage_class_of_their_own(save) -> None:
    """torch pickles them with `_rebuild_tensor_v3`."""
    tensor = torch.arange(12, dtype=torch.int32).to(torch.uint16).reshape(3, 4)
    assert torch.equal(loaded(save({"a": tensor}))["a"], tensor)


@FORMATS
def test_views(save, new: bool) -> None:
    base = torch.randn(6, 8, 10)
    views = {
        "transposed": base[0].t(),
        "permuted": base.permute(2, 0, 1),
        "part": base[2:4],
        "columns": base[:, :, 3:7],
        "steps": base[::2, 1::3],
        "one": base[1, 2, 3],
        "channels_last": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        "squeezed": base[:1],
    }
    found = loaded(save(views, _use_new_zipfile_serialization=new))
    for name, view in views.items():
        assert torch.equal(found[name], view), name
        assert found[name].is_contiguous()


@given(st.data())
def test_any_view_of_a_storage(tmp_path_factory, data: st.DataObject) -> None:
    base = torch.arange(5 * 6 * 7, dtype=torch.float32).reshape(5, 6, 7)
    order = data.draw(st.permutations(range(3)))
    cuts = []
    for size in (5, 6, 7):
        start = data.draw(st.integers(0, size - 1))
        cuts.append(
            slice(start, data.draw(st.integers(start + 1, size)), data.draw(st.integers(1, 3)))
        )
    view = base[tuple(cuts)].permute(*order)
    path = tmp_path_factory.mktemp("views") / "view.pt"
    torch.save({"view": view}, path)
    assert torch.equal(loaded(path)["view"], view)


@FORMATS
def test_parameters(save, new: bool) -> None:
    plain = torch.nn.Parameter(torch.randn(3))
    marked = torch.nn.Parameter(torch.randn(3))
    marked.note = "an attribute"
    tensor = torch.randn(3)
    tensor.note = "an attribute"
    found = loaded(
        save(
            {"plain": plain, "marked": marked, "tensor": tensor},
            _use_new_zipfile_serialization=new,
        )
    )
    assert torch.equal(found["plain"], plain.detach())
    assert torch.equal(found["marked"], marked.detach())
    assert torch.equal(found["tensor"], tensor)


def test_storages_are_shared(save) -> None:
    base = torch.randn(6, 4)
    with FileSource(save({"all": base, "half": base[3:]})) as source:
        tree = read_contents(source, Budget(source.path, source.size)).tree
    assert tree["all"].offset == tree["half"].offset
    assert tree["half"].storage_offset == 12


def test_legacy_views_of_a_storage(tmp_path: Path) -> None:
    """torch before 0.4 kept a storage that is a part of another one: (key, offset, size)."""
    import pickle
    import struct

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            return value.reference if isinstance(value, Reference) else None

    class Reference:
        reference = ("storage", torch.FloatStorage, "7", "cpu", 10, ("8", 4, 6))

    class Tensor:
        def __reduce__(self) -> Any:
            return torch._utils._rebuild_tensor, (Reference(), 1, (2, 2), (2, 1))

    path = tmp_path / "old.pt"
    with path.open("wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(value, file, 2)
        Pickler(file, 2).dump(collections.OrderedDict(a=Tensor()))
        pickle.dump(["7"], file, 2)
        file.write(struct.pack("<q10f", 10, *range(10)))
    assert loaded(path)["a"].tolist() == [[5, 6], [7, 8]]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: torch.randn(3).to_sparse(), "a sparse tensor"),
        (lambda: torch.eye(3).to_sparse_csr(), "a sparse tensor"),
        (lambda: torch.randn(3, dtype=torch.complex64), "a complex tensor"),
        (lambda: torch.randn(3, device="meta"), "a meta tensor, which has no values"),
        (
            lambda: torch.quantize_per_tensor(torch.randn(3), 0.1, 0, torch.qint8),
            "a quantised tensor",
        ),
        (lambda: torch.randn(1).expand(4), "a tensor whose elements share their memory"),
        (lambda: torch.nested.nested_tensor([torch.ones(2)]), "a nested tensor"),
        (lambda: torch.nn.Buffer(torch.ones(2)), None),
    ],
)
def test_tensors_that_are_no_weights_are_told_apart(save, make, kind: str | None) -> None:
    found = loaded(save({"a": make()}))["a"]
    if kind is None:
        assert isinstance(found, torch.Tensor)
    else:
        assert found == Unreadable(kind)


def test_a_conjugated_view_is_no_weight(save) -> None:
    imaginary = torch.randn(3, dtype=torch.complex64).conj().imag
    assert imaginary.is_neg()
    assert isinstance(loaded(save({"a": imaginary}))["a"], Unreadable)


def test_a_storage_that_is_no_storage_is_an_error(save) -> None:
    path = save({"a": torch.ones(3)})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"FloatStorage", b"GloatStorage"))
    with pytest.raises(CheckpointError):
        loaded(path)
