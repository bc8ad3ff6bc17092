"""Class folders."""

from __future__ import annotations

import shutil

import pytest

from snaplink import labelled
from snaplink.errors import ArgumentError


def test_a_folder_is_a_class(folders):
    found = labelled.open(folders)
    assert (found.name, found.task) == ("animals", "classification")
    assert found.class_names == ("cat", "red apple")
    assert [(s.key, s.labels) for s in found.samples] == [
        ("cat/a.png", (0,)), ("cat/b.png", (0,)), ("red_apple/more/c.png", (1,)),
    ]  # fmt: skip
    assert found.counts == (2, 1)
    assert found.samples[2].picture().getpixel((0, 0)) == (255, 0, 0)


def test_the_part_to_test_on_is_taken_where_there_are_parts(folders, tmp_path):
    parts = tmp_path / "parts"
    shutil.copytree(folders, parts / "val")
    shutil.copytree(folders / "cat", parts / "train" / "cat")
    assert len(labelled.open(parts)) == 3
    with pytest.raises(ArgumentError, match="'cat' is the only class"):
        labelled.open(parts, split="train")
    with pytest.raises(ArgumentError, match="there is no 'dev' in it, but train, val"):
        labelled.open(parts, split="dev")


def test_a_class_called_test_is_a_class(folders):
    shutil.copytree(folders / "cat", folders / "test")
    assert labelled.open(folders).class_names == ("cat", "red apple", "test")


def test_an_empty_class_is_an_error_unless_it_is_named(folders):
    (folders / "dog").mkdir()
    with pytest.raises(ArgumentError, match=r"dog has no picture: remove it.*--classes"):
        labelled.open(folders)
    (folders / "dog").rmdir()
    found = labelled.open(folders, class_names=["cat", "dog", "red apple"])
    assert found.counts == (2, 0, 1)


def test_no_classes_and_no_folder_are_errors(tmp_path):
    with pytest.raises(ArgumentError, match="there is no file or folder"):
        labelled.open(tmp_path / "nothing")
    with pytest.raises(ArgumentError, match="no class folders in it"):
        labelled.open(tmp_path)
    (tmp_path / "x.doc").write_text("x", encoding="utf-8")
    with pytest.raises(ArgumentError, match="no table of labels"):
        labelled.open(tmp_path / "x.doc")
