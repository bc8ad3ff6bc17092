"""The pickle machine: what Python's pickler writes, as inert values."""

from __future__ import annotations

import argparse
import io
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip.checkpoint.budget import Budget
from clip.checkpoint.source import FileSource
from clip.checkpoint.unpickle import Blob, Call, Global, Pairs, Stream, load
from clip.errors import CheckpointError

PROTOCOLS = (2, 3, 4, 5)


def machine(content: bytes) -> object:
    source = FileSource(io.BytesIO(content))
    return load(Stream(source, 0, source.size), Budget(source.path, source.size))


def plain(value: object) -> Any:
    """Dicts and lists again, for comparing."""
    if isinstance(value, Pairs):
        items = [plain(item) for item in value.items]
        return dict(zip(items[::2], items[1::2], strict=True))
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item) for item in value)
    return value


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES, st.sampled_from(PROTOCOLS))
def test_plain_values_come_back(value: object, protocol: int) -> None:
    assert plain(machine(pickle.dumps(value, protocol))) == value


@pytest.mark.parametrize("protocol", PROTOCOLS[1:])  # 2 has none: it pickles a call that makes them
def test_bytes_come_back(protocol: int) -> None:
    assert machine(pickle.dumps([b"", b"abc" * 100], protocol)) == [b"", b"abc" * 100]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_shared_values_stay_shared(protocol: int) -> None:
    shared = [1]
    first, second = machine(pickle.dumps([shared, shared], protocol))
    assert first is second


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_list_can_hold_itself(protocol: int) -> None:
    value: list[object] = []
    value.append((value,))
    found = machine(pickle.dumps(value, protocol))
    assert found[0][0] is found


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_objects_become_records(protocol: int) -> None:
    found = machine(pickle.dumps(argparse.Namespace(lr=0.1), protocol))
    assert isinstance(found, Call)
    names = [found.function, *(found.arguments if isinstance(found.arguments, tuple) else ())]
    assert Global("argparse", "Namespace") in names
    assert plain(found.state) == {"lr": 0.1}


@pytest.mark.parametrize("value", [np.float64(1.5), np.arange(3), {1, 2}, frozenset("ab"), 1j])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_people_keep_beside_weights_is_read(value: object, protocol: int) -> None:
    machine(pickle.dumps({"epoch": value}, protocol))


def test_names_are_never_imported() -> None:
    found = machine(b"\x80\x02cno.such.module\nNo.Such\n)R.")
    assert isinstance(found, Call)
    assert found.function == Global("no.such.module", "No.Such")


def test_a_global_equals_no_tuple_of_the_file() -> None:
    assert Global("os", "system") != ("os", "system")


def test_long_values_are_passed_over() -> None:
    long_text, after = machine(pickle.dumps(["x" * 100_000, "after"], 4))
    assert long_text == Blob(100_000)
    assert after == "after"


def test_strings_of_python_2_are_text() -> None:
    assert machine(b"\x80\x02U\x03abc.") == "abc"
    assert machine(b"\x80\x02T\x02\x00\x00\x00\xe9\xff.") == "\xe9\xff"


def test_pickles_follow_each_other() -> None:
    content = pickle.dumps(1, 2) + pickle.dumps("two", 2)
    source = FileSource(io.BytesIO(content))
    stream, budget = Stream(source, 0, source.size), Budget("", 100)
    assert [load(stream, budget), load(stream, budget)] == [1, "two"]
    assert stream.position == len(content)


def test_a_stream_crosses_its_windows() -> None:
    names = [f"layer {number} " * 20 for number in range(2000)]
    assert plain(machine(pickle.dumps(names, 2))) == names


def test_the_text_form_of_protocol_0_is_refused() -> None:
    with pytest.raises(CheckpointError, match="which no checkpoint needs"):
        machine(pickle.dumps({"a": [1, 2, "b"]}, 0))
