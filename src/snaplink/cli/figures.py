"""What an evaluation found, printed: for people, as JSON, or as a row of CSV."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING

from .terminal import bar, console, how_many, printable

if TYPE_CHECKING:
    from snaplink.evaluation import Comparison, Result

__all__ = ["show", "show_comparison"]

_SHOWN = 5


def show(result: Result, form: str | None) -> None:
    """Print a result."""
    if form == "json":
        sys.stdout.write(json.dumps(result.benchmark(), indent=2, ensure_ascii=False) + "\n")
    elif form == "csv":
        _write_csv(result)
    else:
        _write_text(result)


def _write_csv(result: Result) -> None:
    """One row, in the columns of ``clip_benchmark build``."""
    told = result.benchmark()
    row = {**told.pop("metrics"), **told, "model_fullname": f"{result.model} {result.pretrained}"}
    table = csv.DictWriter(sys.stdout, list(row), lineterminator="\n")
    table.writeheader()
    table.writerow(row)


def _write_text(result: Result) -> None:
    from rich.text import Text

    from snaplink.report.per_class import class_figures
    from snaplink.report.wording import between, named, percent

    page = console()
    classes = f", {how_many(len(result.class_names), 'class')}" if result.class_names else ""
    head = f"{result.dataset}: {how_many(result.pictures, 'picture')}{classes}, {result.model}"
    page.print(Text(printable(head), style="bold"), soft_wrap=True)
    width = max(len(named(name)) for name in result.metrics)
    for rank, (name, value) in enumerate(result.metrics.items()):
        share = bar(0 if value != value else value, 20)
        line = Text.assemble(
            f"  {named(name):<{width}}  ",
            (f"{percent(value):>7}", "" if rank else "bold green"),
            f"  {between(result.intervals.get(name)):<14}  ",
            (share, "cyan" if rank else "green"),
        )
        line.rstrip()
        page.print(line, soft_wrap=True)
    if result.task == "classification":
        worst = [each for each in class_figures(result) if each.taken_for][:_SHOWN]
        for each in worst:
            told = f"  {each.name}: {percent(each.value)} of {each.pictures}, taken for "
            page.print(Text(printable(told + each.taken_for), style="dim"), soft_wrap=True)


def show_comparison(found: Comparison, form: str | None) -> None:
    """Print a comparison."""
    from rich.text import Text

    from snaplink.report.comparison_page import title_of
    from snaplink.report.wording import named, points

    if form == "json":
        told = {
            "pictures": found.pictures,
            "only_first_right": len(found.only_first),
            "only_second_right": len(found.only_second),
            "differences": {name: vars(each) for name, each in found.differences.items()},
        }
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        return
    page = console()
    for side, line in zip("AB", title_of(found), strict=True):
        page.print(Text.assemble((f"{side}  ", "bold"), printable(line)), soft_wrap=True)
    common = how_many(found.pictures, "picture")
    page.print(f"B less A, on the {common} that both have:", soft_wrap=True)
    width = max(map(len, map(named, found.differences)))
    for name, each in found.differences.items():
        clear = each.low > 0 or each.high < 0
        row = Text.assemble(
            f"  {named(name):<{width}}  ",
            (f"{points(each.value):>6}", "bold green" if clear else ""),
            f"  {points(each.low)} to {points(each.high)} points, p = {each.p:.3f}",
            "" if clear else "  (may be chance)",
        )
        page.print(row, soft_wrap=True)
    counts = f"only A right: {len(found.only_first):,}, only B right: {len(found.only_second):,}"
    page.print(counts, soft_wrap=True)
