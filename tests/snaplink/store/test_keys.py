"""The index of keys is a dictionary, in less memory."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snaplink.store import Stamp, keys
from snaplink.store.keys import KeyIndex, Located

KEYS = st.text(max_size=3)
NUMBERS = st.none() | st.integers(0, 2**63 - 1)
STAMPS = st.builds(Stamp, NUMBERS, NUMBERS, st.none() | st.sampled_from(["ab", "cd" * 32]))


@pytest.fixture
def sorted_in_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_RECENT", 3)


@pytest.mark.usefixtures("sorted_in_early")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    first=st.dictionaries(KEYS, STAMPS, max_size=8),
    changes=st.lists(st.tuples(KEYS, st.none() | STAMPS), max_size=20),
)
def test_it_finds_what_a_dictionary_finds(
    first: dict[str, Stamp], changes: list[tuple[str, Stamp | None]]
):
    columns = {
        "key": pa.array(list(first), pa.string()),
        "size": pa.array([stamp.size for stamp in first.values()], pa.int64()),
        "mtime_ns": pa.array([stamp.mtime_ns for stamp in first.values()], pa.int64()),
        "sha256": pa.array([stamp.sha256 for stamp in first.values()], pa.string()),
    }
    table = pa.table(columns)
    halves = [table.slice(0, len(first) // 2), table.slice(len(first) // 2)]
    index = KeyIndex(enumerate(halves))
    twin = dict(first)
    for key, stamp in changes:
        if stamp is None:
            index.remove([key])
            twin.pop(key, None)
        else:
            index.add([key], [Located(7, stamp)])
            twin[key] = stamp
        assert len(index) == len(twin)
    for key in {*first, *(key for key, _ in changes)}:
        located = index.find(key)
        assert (located and located.stamp) == twin.get(key)
    changed = {key for key, _ in changes}
    for number, half in enumerate(halves):
        for key in half["key"].to_pylist():
            if key not in changed:
                located = index.find(key)
                assert located is not None
                assert located.ordinal == number
