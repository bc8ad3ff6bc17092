"""`snaplink eval` gives the card's figures, and of a store those that its pictures gave."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAINING = ROOT / "training" / "tiny"
DRAWINGS = ROOT / "src" / "snaplink" / "data" / "drawings"


@pytest.fixture(scope="module")
def figures():
    return json.loads((TRAINING / "figures.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = runpy.run_path(str(TRAINING / "folders.py"))
    folder = tmp_path_factory.mktemp("sets")
    assert script["write"](folder / "heldout", script["tiles"]()) == 384
    assert script["write"](folder / "digits", script["digits"](255)) == 797
    return folder


def typed(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "snaplink", *arguments],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def percent(share: float) -> float:
    return round(100 * share, 1)


def test_the_held_out_pictures(folders, figures):
    names = DRAWINGS / "names.txt"
    out = typed(
        folders, "eval", "heldout", "--classes", str(names), "--template", "a photo of a {}",
        "--json",
    )  # fmt: skip
    metrics = json.loads(out)["metrics"]
    card = figures["those of heldout/sheet.png"]
    assert (percent(metrics["acc1"]), percent(metrics["acc5"])) == (card["top1"], card["top5"])
    assert metrics["acc1_low"] < metrics["acc1"] < metrics["acc1_high"]


DIGITS = ("--template", "a handwritten digit {}", "--json")


def test_the_digits(folders, figures):
    metrics = json.loads(typed(folders, "eval", "digits", *DIGITS))["metrics"]
    assert percent(metrics["acc1"]) == figures["digits"]["dark on white"]


def test_a_store_gives_what_its_pictures_gave(folders):
    for label in range(10):
        (folders / "some" / str(label)).mkdir(parents=True)
        for path in sorted((folders / "digits" / str(label)).iterdir())[:8]:
            shutil.copy(path, folders / "some" / str(label))
    read = json.loads(typed(folders, "eval", "some", *DIGITS))["metrics"]["acc1"]
    typed(folders, "embed", "some", "--out", "some.store", "--dtype", "float32", "--workers", "1")
    shutil.rmtree(folders / "some")
    kept = json.loads(typed(folders, "eval", "some.store", *DIGITS))["metrics"]["acc1"]
    assert kept == pytest.approx(read, abs=0.013)  # of 80; preprocessed in bulk
