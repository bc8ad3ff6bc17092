"""Run again, stopped, changed: the store has exactly one correct row for every good picture."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from snaplink.embed import Job, embed
from snaplink.embed.places import File
from snaplink.errors import ArgumentError, PictureError, StoreError
from snaplink.fake_encoder import FakeEncoder
from snaplink.images import decode
from snaplink.store import Store


@pytest.fixture(autouse=True)
def quick(in_process):
    """What is decided here does not depend on processes."""


def expected(path) -> np.ndarray:
    """What the fake encoder makes of a picture file by itself."""
    encoder = FakeEncoder()
    return encoder.encode_pixels(encoder.bulk(decode(path))[None], normalize=True).numpy()[0]


def test_every_picture_has_its_own_embedding(photos, embedded, rows):
    summary = embedded(photos)
    assert (summary.embedded, summary.failures, summary.total) == (6, 0, 6)
    found = rows()
    assert set(found) == {path.as_posix() for path in photos.rglob("*.jpg")}
    for path, row in found.items():
        np.testing.assert_allclose(row["image"].astype(np.float32), expected(path), atol=1e-3)
        assert (row["width"], row["height"], row["source"]) == (64, 48, path)


def test_a_second_run_computes_only_what_is_new_or_changed(
    photos, embedded, rows, picture_bytes, monkeypatch
):
    embedded(photos)
    before = rows()
    (photos / "0.jpg").write_bytes(picture_bytes(100))
    (photos / "new.jpg").write_bytes(picture_bytes(101))
    summary = embedded(photos)
    assert (summary.embedded, summary.present) == (2, 5)
    after = rows()
    assert len(after) == 7
    for path in (photos / "0.jpg", photos / "new.jpg"):
        found = after[path.as_posix()]["image"].astype(np.float32)
        np.testing.assert_allclose(found, expected(path), atol=1e-3)
    unchanged = (photos / "1.jpg").as_posix()
    assert np.array_equal(after[unchanged]["image"], before[unchanged]["image"])


def test_content_decides_when_asked_to(photos, embedded, rows, picture_bytes):
    embedded(photos, hashed=True)
    os.utime(photos / "0.jpg", (1, 1))  # touched, and the same
    changed = photos / "1.jpg"
    status = changed.stat()
    whole = bytearray(changed.read_bytes())
    whole[-40] ^= 0xFF  # another picture of the same size and time
    changed.write_bytes(whole)
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns))
    summary = embedded(photos, hashed=True)
    assert (summary.embedded, summary.present) == (1, 5)
    assert all(len(row["sha256"]) == 64 for row in rows().values())


def test_a_touched_file_is_embedded_again_by_default(photos, embedded):
    embedded(photos)
    os.utime(photos / "0.jpg", (1, 1))
    assert embedded(photos).embedded == 1


def test_prune_drops_rows_of_files_that_are_gone_and_only_when_asked(photos, embedded, rows):
    embedded(photos)
    (photos / "0.jpg").unlink()
    assert embedded(photos).pruned == 0
    assert len(rows()) == 6
    assert embedded(photos, prune=True).pruned == 1
    assert (photos / "0.jpg").as_posix() not in rows()


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OSError(5, "Input/output error"), "cannot be read"), (FileNotFoundError(), "no such file")],
)
def test_a_disk_that_fails_for_a_while_drops_no_row(
    photos, embedded, rows, monkeypatch, error, reason
):
    embedded(photos, hashed=True)
    before = rows()

    def fail(self: File) -> bytes:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(File, "read", fail)
        assert embedded(photos, hashed=True).failed == {reason: 6}
    assert rows().keys() == before.keys()
    assert embedded(photos, hashed=True).present == 6


def test_a_store_without_a_name_is_not_this_folder(photos, fakes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ArgumentError, match="no name"):
        embed([photos], "", fakes())
    assert sorted(tmp_path.iterdir()) == before


def test_prune_forgets_failures_of_files_that_are_gone(photos, embedded, tmp_path):
    (photos / "broken.jpg").touch()
    (photos / "empty.jpg").touch()
    embedded(photos)
    (photos / "broken.jpg").unlink()
    assert embedded(photos, prune=True).pruned == 0
    failures = Store.open(tmp_path / "store").failures()
    assert set(failures) == {(photos / "empty.jpg").as_posix()}


def test_prune_leaves_other_sources_alone(photos, embedded, rows):
    embedded(photos)
    (photos / "0.jpg").unlink()
    assert embedded(photos / "inside", prune=True).pruned == 0
    assert len(rows()) == 6


def test_prune_does_nothing_when_a_part_could_not_be_listed(photos, embedded, rows, tmp_path):
    embedded(photos)
    (photos / "0.jpg").unlink()
    (tmp_path / "unmounted").mkdir()
    summary = embedded(photos, tmp_path / "unmounted", prune=True)
    assert summary.pruned == 0
    assert len(summary.unlisted) == 1
    assert len(rows()) == 6


def test_a_listed_file_that_is_gone_keeps_its_row_without_prune(
    photos, embedded, rows, monkeypatch
):
    monkeypatch.chdir(photos)
    (photos / "list.txt").write_text("0.jpg\n1.jpg\nnever.jpg\n", encoding="utf-8")
    summary = embedded(photos / "list.txt")
    assert (summary.embedded, dict(summary.failed)) == (2, {"no such file": 1})
    (photos / "0.jpg").unlink()
    assert dict(embedded(photos / "list.txt").failed) == {"no such file": 2}
    assert len(rows()) == 2
    assert embedded(photos / "list.txt", prune=True).pruned == 1
    assert len(rows()) == 1


def test_a_picture_named_twice_counts_once(photos, embedded, rows):
    summary = embedded(photos, photos / "0.jpg", photos / "inside")
    assert (summary.embedded, summary.repeated) == (6, 3)
    assert len(rows()) == 6


def test_bad_pictures_are_logged_and_skipped(photos, embedded, rows, tmp_path):
    (photos / "bad.jpg").write_bytes(b"<html>")
    summary = embedded(photos)
    assert (summary.embedded, dict(summary.failed)) == (6, {"not a picture that can be read": 1})
    failures = Store.open(tmp_path / "store").failures()
    assert list(failures) == [(photos / "bad.jpg").as_posix()]
    assert "it begins with b'<html>'" in failures[(photos / "bad.jpg").as_posix()]


def test_a_picture_that_is_good_again_leaves_the_log(photos, embedded, tmp_path, picture_bytes):
    (photos / "bad.jpg").write_bytes(b"")
    embedded(photos)
    (photos / "bad.jpg").write_bytes(picture_bytes(9))
    assert embedded(photos).embedded == 1
    assert Store.open(tmp_path / "store").failures() == {}


def test_strict_stops_at_the_first_bad_picture_and_keeps_what_is_done(photos, embedded, tmp_path):
    (photos / "zz.jpg").write_bytes(b"")
    with pytest.raises(PictureError, match=r"zz\.jpg: an empty file"):
        embedded(photos, strict=True)
    assert len(Store.open(tmp_path / "store")) == 6


def test_another_model_is_refused_with_what_differs(photos, embedded, tmp_path, fakes):
    embedded(photos)
    with pytest.raises(StoreError, match="weights"):
        embed([photos], tmp_path / "store", fakes(FakeEncoder(dim=16)), Job(workers=1))
    with pytest.raises(StoreError, match="upright"):
        embedded(photos, upright=False)


def test_a_preprocessing_that_is_unknown_is_refused(photos, tmp_path, fakes):
    encoder = FakeEncoder()
    encoder.bulk = None
    with pytest.raises(ArgumentError, match="has a preprocessing of its own"):
        embed([photos], tmp_path / "store", fakes(encoder), Job(workers=1))


def test_captions_are_embedded_and_those_without_are_marked(photos, embedded, rows):
    (photos / "0.txt").write_text("a cat", encoding="utf-8")
    embedded(photos, modalities=("image", "text"))
    found = rows()
    with_text = [key for key, row in found.items() if not np.isnan(row["text"]).any()]
    assert with_text == [(photos / "0.jpg").as_posix()]
    cat = FakeEncoder().encode_texts(["a cat"], normalize=True).numpy()[0]
    np.testing.assert_allclose(found[with_text[0]]["text"].astype(np.float32), cat, atol=1e-3)
    assert found[with_text[0]]["caption"] == "a cat"


def test_captions_alone_need_no_pictures(tmp_path, embedded, rows):
    table = tmp_path / "captions.csv"
    table.write_text("caption,year\na cat,2020\n,2021\n", encoding="utf-8")
    summary = embedded(table, modalities=("text",))
    assert (summary.embedded, dict(summary.failed)) == (1, {"no caption": 1})
    (row,) = rows().values()
    assert (row["caption"], row["year"], row["width"]) == ("a cat", 2020, None)


def test_raw_embeddings_keep_their_lengths(photos, embedded, rows):
    embedded(photos, normalize=False, dtype="float32")
    lengths = [np.linalg.norm(row["image"]) for row in rows().values()]
    assert max(lengths) > 2


def test_names_that_are_no_text_are_kept(photos, embedded, rows, picture_bytes):
    try:
        Path(os.fsdecode(os.fsencode(photos) + b"/caf\xe9.jpg")).write_bytes(picture_bytes(7))
    except OSError:
        pytest.skip("this file system takes no such names")
    assert embedded(photos).embedded == 7
    assert embedded(photos).present == 7
    assert f"{photos.as_posix()}/caf\\xe9.jpg" in rows()


@pytest.mark.parametrize("change", ["removed", "older"])
def test_a_caption_that_is_gone_or_older_is_noticed(photos, embedded, rows, change):
    caption = photos / "0.txt"
    caption.write_text("a cat", encoding="utf-8")
    os.utime(caption, ns=(10**18, 10**18))
    embedded(photos)
    assert embedded(photos).embedded == 0
    if change == "removed":
        caption.unlink()
    else:
        caption.write_text("a dog", encoding="utf-8")
        os.utime(caption, ns=(10**17, 10**17))
    assert embedded(photos).embedded == 1
    assert embedded(photos).embedded == 0


def test_names_that_are_one_in_sql_become_one_column_or_get_a_number(photos, embedded, rows):
    for number, said in enumerate([{"Iso": 1}, {"iso": 2}, {"ISO": 3, "iso": 4}, {"Width": 5}]):
        (photos / f"{number}.json").write_text(json.dumps(said), encoding="utf-8")
    embedded(photos)
    found = [rows()[f"{photos.as_posix()}/{number}.jpg"] for number in range(4)]
    assert [row["Iso"] for row in found] == [1, 2, 3, None]
    assert [row["iso_2"] for row in found] == [None, None, 4, None]
    assert found[3]["meta_Width"] == 5
