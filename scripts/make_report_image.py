"""Draws docs/images/report.png: python scripts/make_report_image.py

The report of `snaplink eval` on the built-in model's held-out pictures, as a browser shows it, by
day and by night. Needs Chromium (Debian's package `chromium`).
"""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
TRAINING = ROOT / "training" / "tiny"
DRAWINGS = ROOT / "src" / "snaplink" / "data" / "drawings"
TARGET = ROOT / "docs" / "images" / "report.png"
WIDTH, HEIGHT = 1120, 1720


def report(folder: Path) -> Path:
    """Evaluate in a folder of its own, and write the page there."""
    script = runpy.run_path(str(TRAINING / "folders.py"))
    script["write"](folder / "heldout", script["tiles"]())
    names = shutil.copy(DRAWINGS / "names.txt", folder)
    command = [
        sys.executable, "-m", "snaplink", "eval", "heldout", "--classes", Path(names).name,
        "--template", "a photo of a {}", "--report", "report.html",
    ]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True)
    return folder / "report.html"


def photographed(page: Path, *, night: bool) -> Image.Image:
    """What the browser shows of the page."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        raise SystemExit("install chromium to draw the picture")
    picture = page.with_name("night.png" if night else "day.png")
    dark = ["--blink-settings=preferredColorScheme=0"] if night else []
    command = [
        browser, "--headless", "--no-sandbox", "--hide-scrollbars", *dark,
        f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={picture}", page.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return Image.open(picture).convert("RGB")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = report(Path(folder))
        day, night = photographed(page, night=False), photographed(page, night=True)
    both = Image.new("RGB", (2 * WIDTH, HEIGHT))
    both.paste(day, (0, 0))
    both.paste(night, (WIDTH, 0))
    small = both.resize((WIDTH, HEIGHT // 2), Image.Resampling.LANCZOS)
    small.quantize(256, dither=Image.Dither.NONE).save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
