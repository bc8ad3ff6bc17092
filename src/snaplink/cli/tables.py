"""Rows as a table for people, or as JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .terminal import console, printable

__all__ = ["show"]

Row = Mapping[str, Any]


def show(
    rows: Sequence[Row], columns: Mapping[str, Callable[[Row], str]], *, as_json: bool
) -> None:
    """Print rows to standard output.

    Args:
        rows: what is known, by name; printed whole as JSON.
        columns: headings to what stands under them; those that begin with a space are numbers,
            set to the right.
        as_json: JSON, not a table.
    """
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return
    if not rows:
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading in columns:
        table.add_column(
            heading.strip(),
            justify="right" if heading.startswith(" ") else "left",
            no_wrap=True,
            overflow="ignore",
        )
    for row in rows:
        table.add_row(*(printable(cell(row)) for cell in columns.values()))
    page = console()
    page.width = 10_000  # what is too long for a terminal is wrapped there, and nowhere cut
    page.print(table)
