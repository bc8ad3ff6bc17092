"""Nobody's items are lost or change their order, and a long request keeps no short one waiting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaplink.serve.fairness import FairLine


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60))
def test_the_line_keeps_each_owners_order_and_loses_nothing(steps):
    line: FairLine[tuple[int, int]] = FairLine()
    came: list[tuple[int, int]] = []
    went: list[tuple[int, int]] = []
    for number, (owner, also_pop) in enumerate(steps):
        line.push((owner, number), owner)
        came.append((owner, number))
        if also_pop:
            went.append(line.pop())
    while line:
        went.append(line.pop())
    assert sorted(went) == sorted(came)
    for owner in range(4):
        numbers = [number for who, number in went if who == owner]
        assert numbers == sorted(numbers)


@given(st.integers(1, 40), st.integers(1, 40))
def test_whoever_comes_later_waits_for_no_more_than_as_many_of_another(before, served):
    line: FairLine[str] = FairLine()
    for number in range(before + served):
        line.push(f"long {number}", "long")
    for _ in range(served):
        line.pop()
    for number in range(3):
        line.push(f"short {number}", "short")
    order = [line.pop() for _ in range(len(line))]
    for number in range(3):
        passed = order[: order.index(f"short {number}")]
        assert sum(name.startswith("long") for name in passed) <= number + 1


def test_who_was_away_has_saved_no_turns_up():
    line: FairLine[str] = FairLine()
    line.push("early", "one")
    assert line.pop() == "early"
    for number in range(5):
        line.push(f"two {number}", "two")
    assert [line.pop(), line.pop()] == ["two 0", "two 1"]
    for number in range(3):
        line.push(f"one {number}", "one")
    assert sorted(line.pop() for _ in range(2)) == ["one 0", "two 2"]


def test_an_empty_line_has_no_first():
    with pytest.raises(IndexError):
        FairLine[int]().first()
