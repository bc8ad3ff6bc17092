"""Cut the sheet of held-out drawings into files, to try search on: `cut_drawings.py FOLDER`.

They are drawings of open icon sets (training/tiny/heldout/LICENSES.md), 384 of them. Beside them,
drawings.csv says what each shows, and which set it is from.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from PIL import Image

HELD_OUT = Path(__file__).parents[1] / "training" / "tiny" / "heldout"


def cut(folder: Path) -> None:
    manifest = json.loads((HELD_OUT / "manifest.json").read_text(encoding="utf-8"))
    side, across = manifest["tile"], manifest["across"]
    folder.mkdir(parents=True, exist_ok=True)
    with (
        Image.open(HELD_OUT / "sheet.png") as sheet,
        (folder / "drawings.csv").open("w", encoding="utf-8", newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow(("path", "caption", "set"))
        for number, tile in enumerate(manifest["tiles"]):
            row, column = divmod(number, across)
            left, top = column * side, row * side
            name = f"{tile['icon']}-{tile['set']}.png"
            sheet.crop((left, top, left + side, top + side)).save(folder / name)
            table.writerow((name, tile["name"], tile["set"]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cut(Path(sys.argv[1]))
