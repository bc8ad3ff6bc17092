"""JPEG files to the model's pixels on one core, equal values first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from harness import WORKSHOP, alternate, publish, run
from preprocess_once import QUALITY, SIDE, SIZES

SCRIPT = "preprocess_once.py"
FOLDER = WORKSHOP / "preprocess"
CASES = {
    "openai/CLIP": ("openai/CLIP", "exact"),
    "snaplink, exact": ("snaplink", "exact"),
    "snaplink, in bulk": ("snaplink", "bulk"),
}
MOST = {"snaplink, exact": 0, "snaplink, in bulk": 1}
"""How far values from 0 to 255 may be from openai/CLIP's."""


def bench(rounds: int, quick: bool) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    far = differences(FOLDER)
    assert all(far[name] <= most for name, most in MOST.items()), f"the values differ: {far}"
    cases = {name: (*case, str(FOLDER)) for name, case in CASES.items()}
    results = alternate(SCRIPT, cases, rounds)
    theirs = dict(results["openai/CLIP"])
    for name, result in results.items():
        for size in SIZES:
            result[f"{size}, x faster"] = theirs[f"{size}, ms"] / result[f"{size}, ms"]
        result["largest difference, of 255"] = far[name]
    title = f"A JPEG file (quality {QUALITY}) to {SIDE} x {SIDE} pixels for the model, on one core"
    publish("preprocess", title, results)


def differences(folder: Path) -> dict[str, int]:
    """The largest of each case's values from openai/CLIP's, before they are normalised."""
    for case in CASES.values():
        run(SCRIPT, *case, str(folder))
    seen = {
        name: np.load(folder / f"{contender.partition('/')[0]} {how}.npy").astype(int)
        for name, (contender, how) in CASES.items()
    }
    return {name: int(np.abs(each - seen["openai/CLIP"]).max()) for name, each in seen.items()}
