"""`snaplink embed` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys

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


def test_ray_has_no_meaning_without_its_engine(typed, pictures):
    ended = typed("embed", "pictures", "--out", "store", "--ray-address", "auto")
    assert ended.code == 2
    assert "--ray-address means nothing without --engine ray" in ended.err


def test_names_on_standard_input_and_what_failed(pictures, started):
    (pictures / "bad.png").write_text("no picture", encoding="utf-8")
    ended = started("embed", "-", "--out", "store", stdin="pictures\npictures/blue.png\n")
    assert ended.code == 1
    assert ended.out.splitlines()[0].split()[:2] == ["3", "embedded,"]
    assert "1 named twice, and taken once" in ended.out
    assert "1 failed: not a picture that can be read" in ended.out
    assert ended.err == "snaplink: which failed, and why, is in store/failures.parquet\n"


def test_strict_says_which_picture_it_was(pictures, started):
    (pictures / "bad.png").write_bytes(b"")
    ended = started("embed", "pictures", "--out", "store", "--strict")
    assert ended.code == 1
    assert ended.err == f"snaplink: {(pictures / 'bad.png').as_posix()}: an empty file\n"


def test_another_preprocessing_is_refused_with_what_differs(pictures, started):
    assert started("embed", "pictures", "--out", "store").code == 0
    ended = started("embed", "pictures", "--out", "store", "--not-upright")
    assert ended.code == 1
    assert "was made otherwise: preprocessing upright True, not False" in ended.err


def test_without_pyarrow_it_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['pyarrow'] = None; from snaplink.cli import main; "
        f"sys.argv = ['snaplink', 'embed', {str(tmp_path)!r}, '--out', 'nowhere']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.returncode == 1
    assert done.stderr == 'snaplink: stores need pyarrow: pip install "snaplink[embed]"\n'


def test_nothing_on_standard_input_is_told(pictures):
    ended = subprocess.run(
        [sys.executable, "-m", "snaplink", "embed", "-", "--out", "store"],
        input="\n",
        capture_output=True,
        text=True,
        cwd=pictures.parent,
        check=False,
    )
    assert ended.returncode == 1
    assert "standard input: names no picture" in ended.stderr
