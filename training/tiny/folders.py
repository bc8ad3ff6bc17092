"""Write what the model card measures as labelled folders: python training/tiny/folders.py OUT

A folder a class, as `snaplink eval` and everybody else's tools read them. Of the shipped files:

    OUT/heldout        the tiles of src/snaplink/data/drawings/sheet.png, by what they show
    OUT/digits         the last 797 of scikit-learn's digits, dark on white
    OUT/digits-chalk   the same, white on black

With --rendered also what is drawn anew from the icon sets, which npm fetches (README.md says what
to install):

    OUT/kept-out       all 400 kept-out pictures of the training styles, at 256 pixels
    OUT/openmoji       OpenMoji, at 256 pixels
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
HELD_OUT = HERE.parents[1] / "src" / "snaplink" / "data" / "drawings"
DIGITS_TRAINED = 1000  # the first ones
DIGIT_SIZE = 80  # as pictures.py draws them
ICON_SIZE = 256  # as evaluate.py does

Labelled = Iterator[tuple[str, str, Image.Image]]  # class, name, picture


def tiles() -> Labelled:
    """The tiles of the sheet."""
    manifest = json.loads((HELD_OUT / "manifest.json").read_text(encoding="utf-8"))
    side, across = manifest["tile"], manifest["across"]
    sheet = Image.open(HELD_OUT / "sheet.png")
    for i, tile in enumerate(manifest["tiles"]):
        x, y = i % across * side, i // across * side
        picture = sheet.crop((x, y, x + side, y + side))
        yield tile["name"], f"{i:03d}-{tile['set']}-{tile['icon']}", picture


def digits(paper: int) -> Labelled:
    """Ink on paper (255), or chalk on a board (0)."""
    from sklearn.datasets import load_digits

    data = load_digits()
    for i in range(DIGITS_TRAINED, len(data.images)):
        small = Image.fromarray((data.images[i] * (255 / 16)).astype(np.uint8))
        ink = np.asarray(small.resize((DIGIT_SIZE, DIGIT_SIZE), Image.Resampling.BICUBIC))
        picture = Image.fromarray(np.abs(paper - ink.astype(int)).astype(np.uint8))
        yield str(data.target[i]), f"{i:04d}", picture


def kept_out() -> Labelled:
    """All kept-out pictures of the training styles, drawn anew."""
    import pictures

    for style in pictures.FAMILY:
        yield from rendered(style, "kept out")


def openmoji() -> Labelled:
    """OpenMoji's pictures of the concepts that training shows, drawn anew."""
    import pictures

    yield from rendered(pictures.HELD_OUT_STYLE, pictures.HELD_OUT_STYLE)


def rendered(style: str, split: str) -> Labelled:
    import pictures
    import words
    from evaluate import on_white

    for picture in pictures.listing(style):
        concept = words.concepts()[picture.concept]
        if picture.split == split and words.can_be_asked(concept):
            drawing = on_white(picture.style, picture.slug, ICON_SIZE)
            yield concept.name, f"{picture.style}-{picture.slug}", drawing


def write(folder: Path, labelled: Labelled) -> int:
    """A folder a class; returns how many pictures there are."""
    count = 0
    for label, name, picture in labelled:
        (folder / label).mkdir(parents=True, exist_ok=True)
        picture.save(folder / label / f"{name}.png")
        count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--rendered", action="store_true", help="also draw the icon sets anew")
    chosen = parser.parse_args()
    sets = {"heldout": tiles(), "digits": digits(255), "digits-chalk": digits(0)}
    if chosen.rendered:
        sets |= {"kept-out": kept_out(), "openmoji": openmoji()}
    for name, labelled in sets.items():
        print(f"{chosen.out / name}: {write(chosen.out / name, labelled)} pictures")


if __name__ == "__main__":
    main()
