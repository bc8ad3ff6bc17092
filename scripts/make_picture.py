"""Writes docs/demo.svg: the coloured output of the demo, as a terminal shows it. Not on Windows.

make demo | cat                        # sets up what this needs
.venv/bin/python scripts/make_picture.py
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).parents[1]
COLUMNS = 64
SHOWN = ["cat", "strawberry", "rocket", "rainbow"]


def main() -> None:
    labels = re.search(r"^LABELS := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert labels is not None
    pictures = [f"examples/{name}.png" for name in SHOWN]
    command = ["classify", *pictures, "--labels", labels[1], "--top", "3"]
    page = Console(record=True, width=COLUMNS, file=io.StringIO())
    page.print(f'$ snaplink classify examples/*.png --labels "{labels[1]}" --top 3', markup=False)
    page.print(Text.from_ansi(seen_on_a_terminal([sys.executable, "-m", "snaplink", *command])))
    drawing = page.export_svg(title="snaplink", theme=MONOKAI)
    # Without the font that rich would fetch from a server: a reader's own will do.
    drawing = re.sub(r"@font-face \{.*?\}", "", drawing, flags=re.DOTALL)
    drawing = "\n".join(line.rstrip() for line in drawing.splitlines() if line.strip())
    (ROOT / "docs" / "demo.svg").write_text(drawing + "\n", encoding="utf-8")


def seen_on_a_terminal(command: list[str]) -> str:
    """What a command prints when it believes that a person is watching."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=theirs, stderr=subprocess.DEVNULL
    )
    os.close(theirs)
    printed = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux says EIO when the other end has closed
            break
        if not piece:
            break
        printed += piece
    assert process.wait() == 0
    return printed.decode().replace("\r\n", "\n")


if __name__ == "__main__":
    main()
