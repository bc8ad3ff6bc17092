"""What a search found, printed: one writer a form."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from snaplink.search import Hit
from snaplink.sheet import Section, Tile, write_sheet

from .terminal import console, printable

__all__ = ["plain", "tile_name", "write_hits", "write_paths", "write_sheet_of"]


def write_hits(hits: Sequence[Hit], form: str) -> None:
    """Print hits, the best first, as text, json, csv, paths or paths0."""
    _WRITERS[form](hits)


def write_sheet_of(hits: Sequence[Hit], path: Path, title: str) -> None:
    """Write a contact sheet of hits with their scores."""
    names = [hit.row.get("caption") or tile_name(hit.key) for hit in hits]
    tiles = [
        Tile(hit.source, f"{hit.score:.3f}", name) for hit, name in zip(hits, names, strict=True)
    ]
    write_sheet(path, [Section(title, tiles)])


def tile_name(key: str) -> str:
    """The last part of a path or URL: what tells pictures of a folder apart."""
    return key.rstrip("/").rpartition("/")[2] or key


def plain(value: Any) -> Any:
    """A value of a row as JSON can have it: dates as text, bytes as their number."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None  # JSON knows no NaN
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    return f"{len(value):,} bytes" if isinstance(value, bytes) else str(value)


def _row(hit: Hit) -> dict[str, Any]:
    return {"score": round(hit.score, 6), **{name: plain(cell) for name, cell in hit.row.items()}}


def _write_text(hits: Sequence[Hit]) -> None:
    page = console()
    for hit in hits:
        line = Text.assemble((f"{hit.score:6.3f}", "green"), "  ", (printable(hit.key), "bold"))
        if caption := hit.row.get("caption"):
            line.append(f"  {printable(str(caption))}")
        page.print(line, soft_wrap=True)


def _write_json(hits: Sequence[Hit]) -> None:
    rows = [_row(hit) for hit in hits]
    sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")


def _write_csv(hits: Sequence[Hit]) -> None:
    table = csv.writer(sys.stdout, lineterminator="\n")
    rows = [_row(hit) for hit in hits]
    table.writerow(rows[0] if rows else ("score", "key", "source"))
    for row in rows:
        cells = row.values()
        table.writerow(
            json.dumps(cell, ensure_ascii=False) if isinstance(cell, list | dict) else cell
            for cell in cells
        )


def write_paths(places: Sequence[str], end: str) -> None:
    """Print places alone, each with what ends it."""
    sys.stdout.write("".join(place + end for place in places))


def _places(hits: Sequence[Hit]) -> list[str]:
    return [hit.source or hit.key for hit in hits]


_WRITERS: dict[str, Callable[[Sequence[Hit]], None]] = {
    "text": _write_text,
    "json": _write_json,
    "csv": _write_csv,
    "paths": lambda hits: write_paths(_places(hits), "\n"),
    "paths0": lambda hits: write_paths(_places(hits), "\0"),
}
