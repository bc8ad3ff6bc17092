"""Seconds from pressing return to the prompt's return."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from contenders import ARCHIVE
from harness import WORKSHOP, Measurement, in_turn, publish, python_of, run

CHECKPOINT = str(WORKSHOP / ARCHIVE)
PICTURE = str(WORKSHOP / "photos-1" / "00000.jpg")
LABELS = "owl,penguin,apple"
SNAPLINK = [sys.executable, "-m", "snaplink"]
CLASSIFY = [*SNAPLINK, "classify", PICTURE, "--labels", LABELS, "--json"]
SCRIPT = str(Path(__file__).with_name("openai_classify.py"))
THEIRS = [python_of("openai/CLIP"), "-W", "ignore", SCRIPT, CHECKPOINT, PICTURE, LABELS]
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "snaplink --help": [*SNAPLINK, "--help"],
    "snaplink classify, the built-in model": CLASSIFY,
    "snaplink classify --model ViT-B-32.pt": [*CLASSIFY, "--model", CHECKPOINT],
    "openai/CLIP's example as a script, ViT-B-32.pt": THEIRS,
}


def bench(rounds: int, quick: bool) -> None:
    run("photos.py", "openai/CLIP", str(WORKSHOP / "photos-1"), "1")
    assert_equal_probabilities()
    cases: dict[str, Callable[[], Measurement]] = {
        name: partial(timed, command) for name, command in COMMANDS.items()
    }
    publish("start", "Commands, from start to end", in_turn(cases, rounds))


def timed(command: list[str]) -> Measurement:
    begin = time.perf_counter()
    output(command)
    return {"seconds": time.perf_counter() - begin}


def output(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    return done.stdout


def assert_equal_probabilities() -> None:
    expected = json.loads(output(THEIRS))
    (found,) = json.loads(output([*CLASSIFY, "--model", CHECKPOINT]))
    for score in found["scores"]:
        label, value = score["label"], score["score"]
        assert abs(value - expected[label]) < 1e-4, f"{label}: {value}, not {expected[label]}"
