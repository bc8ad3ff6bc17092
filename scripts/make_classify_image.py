"""Writes docs/images/classify.svg: a real run of `snaplink classify`, beside its pictures.

Run it as: python scripts/make_classify_image.py
"""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.segment import Segment
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).parents[1]
IMAGE = ROOT / "docs" / "images" / "classify.svg"

PICTURES = ["owl.png", "strawberry.png", "rocket.png", "umbrella.png"]
LABELS = 'owl,cat,elephant,"red strawberry",rocket,umbrella'

COLUMNS, CELL, LINE, EDGE, THUMBNAIL = 70, 8.4, 19, 24, 72
FONT = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
BACKGROUND, FOREGROUND = "#1e1e2e", "#e0e0e8"


def output() -> str:
    """What the command prints on a terminal with colours."""
    command = [sys.executable, "-m", "snaplink", "classify", *PICTURES]
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    done = subprocess.run(
        [*command, "--labels", LABELS, "--top", "3"],
        cwd=ROOT / "examples",
        env={**environment, "FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout.rstrip()


def drawn() -> str:
    """The whole picture."""
    typed = f"$ snaplink classify {' '.join(PICTURES)} \\\n    --labels {LABELS} --top 3\n\n"
    text = Text.assemble((typed, "bold"), Text.from_ansi(output()))
    console = Console(width=COLUMNS, color_system="truecolor", force_terminal=True)
    lines = list(Segment.split_lines(console.render(text)))
    width, height = COLUMNS * CELL + THUMBNAIL + 3 * EDGE, len(lines) * LINE + 2 * EDGE
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
            f'width="{width:.0f}" height="{height}" role="img" aria-label="Output of snaplink '
            f'classify for {len(PICTURES)} pictures: labels, probabilities and bars">',
            f'<rect width="100%" height="100%" rx="10" fill="{BACKGROUND}"/>',
            f'<g font-family="{FONT}" font-size="14" fill="{FOREGROUND}">',
            *(run for row, line in enumerate(lines) for run in runs(row, line)),
            "</g>",
            *(thumbnail(row, line) for row, line in enumerate(lines) if name_in(line)),
            "</svg>\n",
        ]
    )


def runs(row: int, line: list[Segment]) -> Iterator[str]:
    """A line's pieces of one style each, held to the columns that they have on a terminal."""
    column = 0
    for segment in line:
        text, style = segment.text.rstrip(), segment.style
        if text:
            colour = (
                f' fill="{style.color.get_truecolor(MONOKAI).hex}"' if style and style.color else ""
            )
            weight = ' font-weight="bold"' if style and style.bold else ""
            x, y = EDGE + column * CELL, EDGE + (row + 0.75) * LINE
            kept = escape(text).replace(" ", "\u00a0")  # browsers draw several spaces as one
            yield (
                f'<text x="{x:.1f}" y="{y:.1f}" textLength="{len(text) * CELL:.1f}" '
                f'lengthAdjust="spacingAndGlyphs"{colour}{weight}>{kept}</text>'
            )
        column += segment.cell_length


def name_in(line: list[Segment]) -> str | None:
    """The picture whose block begins with this line."""
    text = "".join(segment.text for segment in line).strip()
    return text if text in PICTURES else None


def thumbnail(row: int, line: list[Segment]) -> str:
    name = name_in(line)
    assert name
    small = Image.open(ROOT / "examples" / name).convert("RGBA").resize((128, 128))
    file = io.BytesIO()
    small.save(file, "png")
    data = base64.b64encode(file.getvalue()).decode()
    x, y = 2 * EDGE + COLUMNS * CELL, EDGE + row * LINE
    return (
        f'<rect x="{x:.1f}" y="{y}" width="{THUMBNAIL}" height="{THUMBNAIL}" rx="6" fill="white"/>'
        f'<image x="{x + 4:.1f}" y="{y + 4}" width="{THUMBNAIL - 8}" height="{THUMBNAIL - 8}" '
        f'href="data:image/png;base64,{data}"/>'
    )


if __name__ == "__main__":
    IMAGE.parent.mkdir(parents=True, exist_ok=True)
    IMAGE.write_text(drawn(), encoding="utf-8", newline="\n")
    print(IMAGE)
