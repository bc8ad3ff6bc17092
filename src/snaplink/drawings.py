"""384 drawings that the built-in model was not trained on, and what each shows.

The command that cuts them into files is `python -m snaplink.drawings FOLDER`.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

__all__ = ["FOLDER", "Drawing", "cut", "drawings"]

FOLDER = Path(__file__).parent / "data" / "drawings"
"""Where their sheet is, their names, and their licences."""


@dataclass(frozen=True)
class Drawing:
    """One of them.

    Attributes:
        file: a name for its file.
        name: what it shows.
        set: the icon set that it is from.
        picture: 64 x 64 pixels, on white.
    """

    file: str
    name: str
    set: str
    picture: Image.Image


def drawings() -> Iterator[Drawing]:
    """All of them, in the order of the sheet.

    >>> first = next(drawings())
    >>> first.name, first.set, first.picture.size
    ('person bald', 'noto', (64, 64))
    """
    manifest = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    side, across = manifest["tile"], manifest["across"]
    with Image.open(FOLDER / "sheet.png") as sheet:
        for number, tile in enumerate(manifest["tiles"]):
            top, left = number // across * side, number % across * side
            picture = sheet.crop((left, top, left + side, top + side))
            name = f"{tile['icon']}-{tile['set']}.png"
            yield Drawing(name, tile["name"], tile["set"], picture)


def cut(folder: Path) -> None:
    """Write them as files, and beside them drawings.csv, which says what each shows."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "drawings.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("path", "caption", "set"))
        for drawing in drawings():
            drawing.picture.save(folder / drawing.file)
            table.writerow((drawing.file, drawing.name, drawing.set))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("python -m snaplink.drawings FOLDER")
    cut(Path(sys.argv[1]))
