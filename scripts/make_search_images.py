"""Make docs/images/search.png and map.png, as docs/search.md says; the map wants Chromium."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from snaplink import drawings

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"


def main() -> None:
    with TemporaryDirectory() as folder:
        work = Path(folder)
        drawings.cut(work / "drawings")
        snaplink(work, "embed", "drawings/drawings.csv", "--out", "drawings.store")
        snaplink(work, "search", "drawings.store", "a clock", "--top", "12", "--sheet", "sheet.png")
        keep(work / "sheet.png", "search.png")
        snaplink(work, "map", "drawings.store", "--out", "map.html")
        browser = shutil.which("chromium") or shutil.which("google-chrome")
        if browser is None:
            sys.exit("no Chromium here: map.png is left as it is")
        page = (work / "map.html").as_uri()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,820"]
        picture = work / "map.png"
        options += ["--virtual-time-budget=5000", f"--screenshot={picture}"]
        subprocess.run([browser, *options, page], check=True)
        keep(picture, "map.png")


def snaplink(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "snaplink", *arguments], cwd=folder, check=True)


def keep(picture: Path, name: str) -> None:
    """With 256 colours, which drawings do not need more of."""
    with Image.open(picture) as image:
        few = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    main()
