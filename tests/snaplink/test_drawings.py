"""The drawings in the package: all there, cut as they are described, and a table beside them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

from PIL import Image

from snaplink.drawings import FOLDER, drawings


def test_all_of_them_and_each_once():
    found = list(drawings())
    manifest = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    assert len(found) == len(manifest["tiles"]) == 384
    assert len({each.file for each in found}) == 384
    assert len({each.picture.tobytes() for each in found}) > 370
    assert {each.picture.size for each in found} == {(64, 64)}
    assert all(each.name and each.file.endswith(f"-{each.set}.png") for each in found)


def test_what_each_shows_is_one_of_the_names():
    names = set((FOLDER / "names.txt").read_text(encoding="utf-8").splitlines())
    assert {each.name for each in drawings()} <= names


def test_the_command_cuts_them_into_files(tmp_path):
    command = [sys.executable, "-m", "snaplink.drawings"]
    subprocess.run([*command, "new/folder"], cwd=tmp_path, check=True)
    with (tmp_path / "new/folder/drawings.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["caption"], row["set"]) for row in rows] == [
        (each.file, each.name, each.set) for each in drawings()
    ]
    first = next(drawings())
    with Image.open(tmp_path / "new/folder" / first.file) as picture:
        assert picture.convert("RGB").tobytes() == first.picture.convert("RGB").tobytes()
    wrong = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert (wrong.returncode, wrong.stderr) == (1, "python -m snaplink.drawings FOLDER\n")
