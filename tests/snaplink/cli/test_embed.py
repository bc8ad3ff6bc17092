"""`snaplink embed` as a user types it."""

from __future__ import annotations

import json

import pytest

from snaplink.store import Store


def rows_of(store):
    return Store.open(store).table().to_pylist()


def test_a_folder_becomes_a_store_and_a_second_run_finds_all_of_it(pictures, started):
    first = started("embed", "pictures", "--out", "store")
    assert (first.code, first.err) == (0, "")
    assert first.out.split()[:2] == ["3", "embedded,"]
    store = pictures.parent / "store"
    found = {row["key"]: row for row in rows_of(store)}
    assert set(found) == {path.as_posix() for path in pictures.rglob("*.png")}
    blue = found[(pictures / "blue.png").as_posix()]
    assert (blue["width"], blue["height"], Store.open(store).dim) == (30, 20, 128)
    again = started("embed", "pictures", "--out", "store", "--json")
    assert again.code == 0
    assert json.loads(again.out)["present"] == 3
    assert json.loads(again.out)["embedded"] == 0


def test_a_mistyped_source_is_found_before_anything_starts(typed, pictures):
    ended = typed("embed", "pictures", "picturse", "--out", "store")
    assert (ended.code, ended.out) == (2, "")
    assert "picturse" in ended.err
    assert not (pictures.parent / "store").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--modalities", "sound"], "'sound' is none of image, text and image,text"),
        (["--batch-size", "0"], "'0' is neither auto nor a number"),
    ],
)
def test_options_that_mean_nothing_are_refused(typed, pictures, arguments, said):
    ended = typed("embed", "pictures", "--out", "store", *arguments)
    assert ended.code == 2
    assert said in ended.err
