"""webdataset shards, as CLIP_benchmark lays them out."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pytest

from snaplink import labelled
from snaplink.errors import ArgumentError


@pytest.fixture
def exported(shard, picture, tmp_path):
    root = tmp_path / "wds"
    shard(root / "test" / "0.tar", {
        "s0.png": picture("red"), "s0.cls": b"1", "s1.cls": b"0", "s1.webp": picture("blue"),
    })  # fmt: skip
    shard(root / "test" / "1.tar", {"s0.jpg": picture("red"), "s0.cls": b"1\n"})
    (root / "test" / "nshards.txt").write_text("2\n", encoding="utf-8")
    (root / "classnames.txt").write_text("blue\nred\n", encoding="utf-8")
    path = root / "zeroshot_classification_templates.txt"
    path.write_text("a {c} thing.\n", encoding="utf-8")
    return root


def test_the_folder_says_everything(exported):
    found = labelled.open(exported)
    assert (found.class_names, found.templates) == (("blue", "red"), ("a {c} thing.",))
    assert [(s.key, s.labels) for s in found.samples] == [
        ("0/s0", (1,)), ("0/s1", (0,)), ("1/s0", (1,)),
    ]  # fmt: skip
    assert found.samples[1].picture().getpixel((0, 0)) == (0, 0, 255)


def test_a_published_name_may_come_twice(exported):
    (exported / "classnames.txt").write_text("missile\nmissile\n", encoding="utf-8")
    assert labelled.open(exported).class_names == ("missile", "missile")


def test_one_shard_alone(exported):
    assert [s.key for s in labelled.open(exported / "test" / "0.tar").samples] == ["s0", "s1"]


def test_captions_make_it_retrieval(shard, picture, tmp_path):
    shard(tmp_path / "r" / "0.tar", {"a.png": picture("red"), "a.txt": b"one\n\ntwo\n"})
    found = labelled.open(tmp_path / "r")
    assert found.task == "retrieval"
    assert found.samples[0].captions == ("one", "two")


def test_rows_of_marks_make_it_multi_label(shard, picture, tmp_path):
    def marks(*values):
        buffer = io.BytesIO()
        np.save(buffer, np.array(values))
        return buffer.getvalue()

    root = tmp_path / "voc"
    shard(root / "test" / "0.tar", {"a.png": picture("red"), "a.npy": marks(1, 0, 1)})
    (root / "dataset_type.txt").write_text("multilabel", encoding="utf-8")
    found = labelled.open(root, class_names=["a", "b", "c"])
    assert (found.task, found.samples[0].labels) == ("multilabel", (0, 2))


def test_missing_and_broken_parts(exported, shard, picture, tmp_path):
    (exported / "test" / "1.tar").unlink()
    with pytest.raises(ArgumentError, match=r"speaks of 2 shards, but 1\.tar is missing"):
        labelled.open(exported)
    shard(exported / "test" / "1.tar", {"s0.jpg": picture("red")})
    with pytest.raises(ArgumentError, match=r"'1/s0' has no \.cls"):
        labelled.open(exported)
    (exported / "test" / "nshards.txt").write_text("two", encoding="utf-8")
    with pytest.raises(ArgumentError, match="'two' is no number of shards"):
        labelled.open(exported)
    packed = tmp_path / "p.tar"
    packed.write_bytes(gzip.compress((exported / "test" / "0.tar").read_bytes()))
    with pytest.raises(ArgumentError, match="cannot be read as an uncompressed tar"):
        labelled.open(packed)


def test_a_sample_without_its_picture_is_said_when_it_is_used(shard, tmp_path):
    path = shard(tmp_path / "0.tar", {"a.cls": b"0", "b.cls": b"1"})
    found = labelled.open(path, class_names=["x", "y"])
    with pytest.raises(Exception, match="a: its file is not known"):
        found.samples[0].picture()


def test_a_shard_cut_anywhere_is_no_whole_one(exported):
    shard = exported / "test" / "0.tar"
    content = shard.read_bytes()
    end = len(content.rstrip(b"\0"))  # of the last member's content
    for length in range(512, end + 512, 256):
        shard.write_bytes(content[:length])
        with pytest.raises(ArgumentError, match="copy a damaged one again"):
            labelled.open(exported)
