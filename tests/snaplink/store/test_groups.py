"""Row groups that are remembered, within a bound."""

from __future__ import annotations

import pyarrow as pa
import pytest

from snaplink.store.groups import RowGroups

EIGHT = pa.table({"key": pa.array(range(8), pa.int64())})  # 64 bytes


@pytest.fixture
def read() -> list[tuple[int, int, list[str]]]:
    return []


@pytest.fixture
def groups(read: list[tuple[int, int, list[str]]]) -> RowGroups:
    def table(shard: int, group: int, columns: list[str]) -> pa.Table:
        read.append((shard, group, columns))
        return EIGHT

    return RowGroups(table, room=2 * EIGHT.nbytes)


def test_what_was_read_is_read_once(groups: RowGroups, read: list[tuple[int, int, list[str]]]):
    for _ in range(3):
        assert groups.get(0, 1, ["key"]) is EIGHT
    groups.get(0, 1, ["key", "width"])
    assert read == [(0, 1, ["key"]), (0, 1, ["key", "width"])]


def test_what_was_not_used_for_longest_goes_first(
    groups: RowGroups, read: list[tuple[int, int, list[str]]]
):
    for group in (0, 1, 0, 2, 0, 1):
        groups.get(0, group, ["key"])
    assert [group for _, group, _ in read] == [0, 1, 2, 1]
    assert groups.size == 2 * EIGHT.nbytes


def test_what_does_not_fit_is_given_and_not_kept():
    groups = RowGroups(lambda shard, group, columns: EIGHT, room=8)
    assert groups.get(0, 0, ["key"]) is EIGHT
    assert groups.size == 0
