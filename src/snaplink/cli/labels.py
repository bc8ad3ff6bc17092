"""Labels as people type them: between commas, or on the lines of a file."""

from __future__ import annotations

import csv
import io
from typing import TextIO

import click

__all__ = ["lines", "split"]


def split(ctx: click.Context, parameter: click.Parameter, value: str | None) -> list[str]:
    """Labels between commas; quotes, as in CSV, hold a label that has a comma itself."""
    try:
        rows = csv.reader(io.StringIO(value or ""), skipinitialspace=True, strict=True)
        return [label for row in rows for label in row]
    except csv.Error as error:
        raise click.UsageError(f"{value!r} is not a list of labels: {error}", ctx) from None


def lines(file: TextIO) -> list[str]:
    """A label on each line that is not blank."""
    try:
        return [line.strip() for line in file if line.strip()]
    except UnicodeDecodeError:
        problem = f"{file.name} is not text in UTF-8: save it as such"
        raise click.UsageError(problem, click.get_current_context()) from None
