"""Results as Markdown tables, and pages with these tables in their places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Cell = str | float | None

_SHARES = {"roofline": 0, "agreement": 1, "right": 1, "share": 2}
"""Columns of shares of one, and with how many digits they are shown."""


def on_page(page: str, name: str, kept: Mapping[str, Any]) -> str:
    """The page with a benchmark's results in their place.

    Args:
        page: its text, with the two marks `<!-- NAME -->` and `<!-- end of NAME -->`.
        name: of the benchmark.
        kept: what `harness.publish` keeps in results/NAME.json.
    """
    about = ", ".join([*kept["machine"].values(), *kept.get("versions", [])])
    section = f"**{kept['title']}**\n\n{rendered(kept['results'])}\n\n{about}"
    return between_marks(page, name, section)


def between_marks(page: str, name: str, section: str) -> str:
    """The page with this section between its two marks.

    >>> print(between_marks("<!-- a --><!-- end of a -->", "a", "one"))
    <!-- a -->
    one
    <!-- end of a -->
    """
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, rest = page.split(start)
    return f"{before}{start}\n{section}\n{end}{rest.split(end)[1]}"


def rendered(results: Mapping[str, Mapping[str, Cell]]) -> str:
    """A row for each case, a column for each quantity.

    >>> print(rendered({"cat": {"s": 0.12345}, "dog": {"s": 7}, "owl": {"s": None}}))
    |     | s     |
    |-----|-------|
    | cat | 0.123 |
    | dog | 7     |
    | owl | -     |
    """
    columns = list(next(iter(results.values())))
    rows = [
        [case, *(cell(column, result[column]) for column in columns)]
        for case, result in results.items()
    ]
    return table(["", *columns], rows)


def cell(column: str, value: Cell) -> str:
    """A value as its column wants it; - for what was not measured.

    >>> cell("min cosine", 0.999951), cell("roofline", 0.874), cell("precision", "bf16")
    ('0.99995', '87 %', 'bf16')
    """
    if value is None or isinstance(value, str):
        return value or "-"
    if "cosine" in column:
        return f"{value:.5f}"
    if column in _SHARES:
        return f"{100 * value:.{_SHARES[column]}f} %"
    return figure(value)


def figure(value: float) -> str:
    """Three digits, or all of a whole number.

    >>> figure(0.12345), figure(12.0), figure(1234.5)
    ('0.123', '12', '1234')
    """
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:#.3g}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown, with the columns under each other.

    >>> print(table(["", "s"], [["a cat", "1"]]))
    |       | s |
    |-------|---|
    | a cat | 1 |
    """
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    ruler = ["-" * (width + 2) for width in widths]
    padded = [
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    head_row, *body = [f"| {line} |" for line in padded]
    return "\n".join([head_row, f"|{'|'.join(ruler)}|", *body])
