"""Make docs/images/fewshot.svg, and the figures of docs/probing.md.

    python scripts/make_probing_image.py

Writes the unseen digits as class folders, every other one of each to learn from, runs
the commands of the page on them, and prints what they print.
"""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMAGE = ROOT / "docs" / "images" / "fewshot.svg"
PROMPT = "a handwritten digit {}"

COMMANDS = (
    ("probe", "digits/train", "digits/test", "--head", "digits.safetensors"),
    ("fewshot", "digits/train", "digits/test", "--template", PROMPT, "--plots", "curves"),
    ("calibrate", "sample", "--none", "drawing", "--template", PROMPT, "--target", "0.95",
     "--save", "words.safetensors"),
    ("calibrate", "sample-test", "--none", "drawing", "--target", "0.95", "--head",
     "digits.safetensors", "--save", "sure.safetensors"),
)  # fmt: skip


def write_data(folder: Path) -> None:
    """digits/train and digits/test; each with half of the unseen drawings: sample, sample-test."""
    made = runpy.run_path(str(ROOT / "training" / "tiny" / "folders.py"))
    seen: Counter[str] = Counter()
    for label, name, picture in made["digits"](255):
        part = ("train", "test")[seen[label] % 2]
        seen[label] += 1
        place = folder / "digits" / part / label
        place.mkdir(parents=True, exist_ok=True)
        picture.save(place / f"{name}.png")
    for part, sample in (("train", "sample"), ("test", "sample-test")):
        shutil.copytree(folder / "digits" / part, folder / sample)
        (folder / sample / "drawing").mkdir()
    for number, (_, name, picture) in enumerate(made["tiles"]()):
        sample = "sample" if number % 2 == 0 else "sample-test"
        picture.save(folder / sample / "drawing" / f"{name}.png")


def main() -> None:
    with tempfile.TemporaryDirectory() as workshop:
        write_data(Path(workshop))
        for command in COMMANDS:
            print(f"$ snaplink {' '.join(command)}", flush=True)
            subprocess.run([sys.executable, "-m", "snaplink", *command], cwd=workshop, check=True)
        shutil.copy(Path(workshop) / "curves" / "fewshot.svg", IMAGE)
        if len(sys.argv) > 1:  # a folder to keep the PNG in, to look at
            shutil.copy(Path(workshop) / "curves" / "fewshot.png", sys.argv[1])
    print(IMAGE)


if __name__ == "__main__":
    main()
