"""Tensors that are not what a weight should be: recipes read as data, and refused by name."""

from __future__ import annotations

import pytest

HUGE = 2**62 - 1
NAME = "visual.proj"
"""A weight of shape [64, 8], 512 elements."""


def _with(kit, weight: bytes) -> bytes:
    return kit.replaced(**{NAME: weight})


def _tensor(kit, shape=(64, 8), stride=(8, 1), **options) -> bytes:
    return _with(kit, kit.tensor(NAME, 512, shape, stride, **options))


def expanded_from_one_element(kit) -> bytes:
    return _tensor(kit, stride=(0, 0))


def expanded_rows(kit) -> bytes:
    return _tensor(kit, stride=(0, 1))


def overlapping_rows(kit) -> bytes:
    return _tensor(kit, stride=(1, 1))


def overlapping_columns(kit) -> bytes:
    return _tensor(kit, stride=(7, 1))


def longer_than_its_storage(kit) -> bytes:
    return _tensor(kit, shape=(65, 8))


def shifted_out_of_its_storage(kit) -> bytes:
    return _tensor(kit, first=1)


def huge_shift(kit) -> bytes:
    return _tensor(kit, first=HUGE)


def huge_shape(kit) -> bytes:
    return _tensor(kit, shape=(HUGE, HUGE))


def huge_stride(kit) -> bytes:
    return _tensor(kit, stride=(HUGE, 1))


def shape_beyond_64_bits(kit) -> bytes:
    return _tensor(kit, shape=(2**100, 1))


def negative_shape(kit) -> bytes:
    return _tensor(kit, shape=(-1, -512))


def negative_stride(kit) -> bytes:
    return _tensor(kit, stride=(8, -1))


def negative_shift(kit) -> bytes:
    return _tensor(kit, first=-1)


def more_strides_than_sizes(kit) -> bytes:
    return _tensor(kit, stride=(8, 1, 1))


def a_thousand_dimensions(kit) -> bytes:
    return _tensor(kit, shape=(1,) * 1000, stride=(1,) * 1000)


def empty(kit) -> bytes:
    return _tensor(kit, shape=(0, 8))


def wrong_shape(kit) -> bytes:
    return _tensor(kit, shape=(8, 64), stride=(64, 1))


def shape_of_texts(kit) -> bytes:
    parts = (
        kit.storage(NAME, 512),
        b"K\0",
        kit.tuple(kit.text("64")),
        kit.numbers(1),
        b"\x89",
        b"}",
    )
    return _with(kit, kit.call("torch._utils", "_rebuild_tensor_v2", *parts))


def shape_of_truths(kit) -> bytes:
    parts = (kit.storage(NAME, 512), b"K\0", b"\x88\x85", b"\x88\x85", b"\x89", b"}")
    return _with(kit, kit.call("torch._utils", "_rebuild_tensor_v2", *parts))


def too_few_arguments(kit) -> bytes:
    return _with(kit, kit.call("torch._utils", "_rebuild_tensor_v2", kit.storage(NAME, 512)))


def no_storage(kit) -> bytes:
    place = (b"K\0", kit.numbers(64, 8), kit.numbers(8, 1), b"\x89", b"}")
    return _with(kit, kit.call("torch._utils", "_rebuild_tensor_v2", b"N", *place))


def storage_of_an_unknown_kind(kit) -> bytes:
    return _tensor(kit, kind="EvilStorage")


def storage_larger_than_its_record(kit) -> bytes:
    return _with(kit, kit.tensor(NAME, 5120, (640, 8), (8, 1)))


def storage_that_is_missing(kit) -> bytes:
    return _with(kit, kit.tensor("nowhere", 512, (64, 8), (8, 1)))


def storage_outside_of_its_folder(kit) -> bytes:
    return _with(kit, kit.tensor("../data.pkl", 512, (64, 8), (8, 1)))


def quantised(kit) -> bytes:
    place = (b"K\0", kit.numbers(64, 8), kit.numbers(8, 1))
    storage = kit.storage(NAME, 512, "QInt8Storage")
    return _with(
        kit, kit.call("torch._utils", "_rebuild_qtensor", storage, *place, b")", b"\x89", b"}")
    )


def quantised_storage(kit) -> bytes:
    return _with(kit, kit.tensor(NAME, 2048, (64, 8), (8, 1), kind="QInt8Storage"))


def sparse(kit) -> bytes:
    layout = kit.name("torch", "sparse_coo")
    return _with(kit, kit.call("torch._utils", "_rebuild_sparse_tensor", layout, b")"))


def nested(kit) -> bytes:
    return _with(kit, kit.call("torch._utils", "_rebuild_nested_tensor", b"N", b"N", b"N", b"N"))


def complex_numbers(kit) -> bytes:
    return _with(kit, kit.tensor(NAME, 256, (64, 4), (4, 1), kind="ComplexFloatStorage"))


def conjugated(kit) -> bytes:
    metadata = kit.dict({"conj": b"\x88"})
    return _tensor(kit, more=(b"\x89", b"}", metadata))


def meta(kit) -> bytes:
    parts = (kit.name("torch", "float32"), kit.numbers(64, 8), kit.numbers(8, 1), b"\x89")
    return _with(kit, kit.call("torch._utils", "_rebuild_meta_tensor_no_storage", *parts))


def of_a_subclass(kit) -> bytes:
    inner = kit.name("torch._utils", "_rebuild_tensor_v2")
    parts = (inner, kit.name("evil", "Tensor"), b")", b"}")
    return _with(kit, kit.call("torch._tensor", "_rebuild_from_type_v2", *parts))


def of_a_wrapper_subclass(kit) -> bytes:
    return _with(kit, kit.call("torch._utils", "_rebuild_wrapper_subclass", kit.name("evil", "T")))


def parameter_of_a_subclass_s_making(kit) -> bytes:
    return _with(kit, kit.call("torch._utils", "_rebuild_parameter", b"N", b"\x89", b"}"))


def whole_numbers(kit) -> bytes:
    return _tensor(kit, kind="IntStorage")


def single_bytes(kit) -> bytes:
    """Four times as large as float32."""
    return _with(kit, kit.tensor(NAME, 2048, (64, 8), (8, 1), kind="ByteStorage"))


def eight_bit_floats(kit) -> bytes:
    dtype = kit.name("torch", "float8_e4m3fn")
    storage = kit.tuple(
        *(kit.text("storage"), kit.name("torch.storage", "UntypedStorage"), kit.text(NAME)),
        *(kit.text("cpu"), kit.number(2048)),
    )
    place = (b"K\0", kit.numbers(64, 8), kit.numbers(8, 1), b"\x89", b"}", dtype)
    return _with(kit, kit.call("torch._utils", "_rebuild_tensor_v3", storage + b"Q", *place))


def unknown_dtype(kit) -> bytes:
    return _tensor(
        kit, function="_rebuild_tensor_v3", more=(b"\x89", b"}", kit.name("os", "environ"))
    )


def one_storage_for_many_weights(kit) -> bytes:
    """Each weight is as large as the storage that all of them share."""
    sizes = {name: value.numel() for name, value in kit.weights.items()}
    largest = max(sizes, key=lambda name: sizes[name])
    entries = {
        name: kit.tensor(largest, sizes[largest], tuple(value.shape), value.stride())
        for name, value in kit.weights.items()
    }
    return kit.archive(kit.pickle(kit.dict(entries)))


def many_layers_on_one_storage(kit) -> bytes:
    """A few bytes a name, and 200 blocks of weights in memory if nobody counted."""
    entries = kit.entries()
    for name in list(entries):
        for layer in range(1, 200):
            if ".0." in name:
                entries[name.replace(".0.", f".{layer}.")] = entries[name]
    return kit.archive(kit.pickle(kit.dict(entries)))


def context_length_of_a_million(kit) -> bytes:
    """Its mask would have 10**12 entries; the storage is there, mostly zeros."""
    rows = 100_000
    weight = kit.tensor("rows", rows * 64, (rows, 64), (64, 1))
    entries = kit.entries() | {"positional_embedding": weight}
    return kit.archive(kit.pickle(kit.dict(entries)), kit.storages() | {"rows": bytes(rows * 256)})


def scattered_over_a_large_storage(kit) -> bytes:
    """Eight columns out of 8,000: the file must be read from end to end for a few numbers."""
    weight = kit.tensor("wide", 64 * 8000, (64, 8), (8000, 1))
    entries = kit.entries() | {NAME: weight}
    return kit.archive(kit.pickle(kit.dict(entries)), kit.storages() | {"wide": bytes(64 * 32000)})


ATTACKS = [
    (expanded_from_one_element, f"{NAME} is a tensor whose elements share their memory"),
    (expanded_rows, f"{NAME} is a tensor whose elements share their memory"),
    (overlapping_rows, f"{NAME} is a tensor whose elements share their memory"),
    (overlapping_columns, f"{NAME} is a tensor whose elements share their memory"),
    (longer_than_its_storage, "out of its storage"),
    (shifted_out_of_its_storage, "out of its storage"),
    (huge_shift, "out of its storage"),
    (huge_shape, "out of its storage"),
    (huge_stride, "out of its storage"),
    (shape_beyond_64_bits, "without a proper shape"),
    (negative_shape, "without a proper shape"),
    (negative_stride, "without a proper shape"),
    (negative_shift, "without a proper shape"),
    (more_strides_than_sizes, "more sizes than strides|without a proper shape|sizes and strides"),
    (a_thousand_dimensions, "without a proper shape"),
    (empty, NAME),
    (wrong_shape, NAME),
    (shape_of_texts, "without a proper shape"),
    (shape_of_truths, "without a proper shape"),
    (too_few_arguments, "without a storage"),
    (no_storage, "without a storage"),
    (storage_of_an_unknown_kind, "unknown kind"),
    (storage_larger_than_its_record, "2048 bytes, but 5120 elements"),
    (storage_that_is_missing, "data/nowhere is missing"),
    (storage_outside_of_its_folder, "data/../data.pkl is missing"),
    (quantised, f"{NAME} is a quantised tensor"),
    (quantised_storage, f"{NAME} is a quantised tensor"),
    (sparse, f"{NAME} is a sparse tensor"),
    (nested, f"{NAME} is a nested tensor"),
    (complex_numbers, f"{NAME} is a complex tensor"),
    (conjugated, f"{NAME} is a tensor that is conjugated"),
    (meta, f"{NAME} is a meta tensor"),
    (of_a_subclass, rf"{NAME} is a tensor of a class of its own \(evil.Tensor\)"),
    (of_a_wrapper_subclass, f"{NAME} is a tensor of a class of its own"),
    (parameter_of_a_subclass_s_making, "put together wrongly"),
    (whole_numbers, f"{NAME} has the (d?)type int32"),
    (single_bytes, f"{NAME} has the (d?)type uint8"),
    (eight_bit_floats, f"{NAME} has the (d?)type float8_e4m3fn"),
    (unknown_dtype, f"{NAME} is a tensor of an unknown dtype"),
    (one_storage_for_many_weights, "share storages"),
    (many_layers_on_one_storage, "share storages"),
    (context_length_of_a_million, "context length of 100000"),
    (scattered_over_a_large_storage, f"{NAME} is no dense tensor"),
]


@pytest.mark.parametrize(
    ("attack", "message"), ATTACKS, ids=lambda value: getattr(value, "__name__", "")
)
def test_refused(guard, kit, attack, message: str) -> None:
    verdict = guard.load(attack(kit))
    assert verdict.outcome == "refused"
    guard.assert_says(verdict, message)
    assert verdict.seconds < 10


def test_a_tensor_beside_the_weights_may_be_of_any_kind(guard, kit) -> None:
    """Only weights must be dense; an optimizer may keep what it wants, as long as it is inert."""
    sparse_one = kit.call("torch._utils", "_rebuild_sparse_tensor", b"N", b")")
    state = kit.dict({"state_dict": kit.dict(kit.entries()), "averages": b"](" + sparse_one + b"e"})
    verdict = guard.load(kit.archive(kit.pickle(state)))
    assert verdict.digest == kit.digest, verdict.message
