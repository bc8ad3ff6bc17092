"""What is kept stays within its room, whatever is asked for."""

from __future__ import annotations

from snaplink.serve.kept import Kept


def test_what_was_used_longest_ago_goes_first():
    kept = Kept(room=10, size=len)
    for name in "abc":
        kept.put(name, b"123")
    assert kept.get("a") == b"123"
    kept.put("d", b"12")
    assert [kept.get(name) for name in "abcd"] == [b"123", None, b"123", b"12"]


def test_a_new_value_takes_the_place_of_the_old_one():
    kept = Kept(room=10, size=len)
    for _ in range(5):
        kept.put("a", b"12345678")
    kept.put("b", b"12")
    assert (kept.get("a"), kept.get("b")) == (b"12345678", b"12")


def test_what_has_no_room_is_returned_and_not_kept():
    kept = Kept(room=10, size=len)
    kept.put("a", b"1")
    assert kept.put("b", bytes(11)) == bytes(11)
    assert kept.get("b") is None
    kept.put("c", bytes(10))
    assert kept.get("c") == bytes(10)
