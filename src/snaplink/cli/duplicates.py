"""`snaplink duplicates`: pictures of a store that are nearly the same."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .exits import say

if TYPE_CHECKING:
    from snaplink.duplicates import Group


@click.command(cls=options.Verb)
@click.argument("store", metavar="STORE")
@click.option(
    "--threshold",
    type=click.FloatRange(-1, 1),
    default=0.95,
    metavar="COSINE",
    show_default=True,
    help="From which likeness on two pictures count as nearly the same.",
)
@options.results
@options.sheet
def duplicates(store: str, threshold: float, form: str | None, sheet: Path | None) -> None:
    """Find groups of pictures that are nearly the same.

    Of each group, the one with the most pixels is to be kept, or that of the larger file. The
    others are each within the threshold of the one kept. --paths prints only these others. Look
    at them (--sheet) before you remove any: what counts as the same depends on the model.

    \b
    snaplink duplicates photos.store --sheet same.html
    snaplink duplicates photos.store --threshold 0.99 -0 | xargs -0 mv -t same/
    """
    from snaplink import duplicates as library
    from snaplink.sheet import check_form, write_sheet
    from snaplink.store import Store

    from .terminal import how_many, progress

    if sheet:
        check_form(sheet)
    opened = Store.open(store)
    with progress("comparing", len(opened)) as compared:
        groups = library.duplicates(opened, threshold=threshold, progress=compared)
    _write(groups, form)
    if sheet:
        write_sheet(sheet, [_section(group) for group in groups])
    others = sum(len(group.others) for group in groups)
    if form in (None, "text"):
        say(f"{how_many(len(groups), 'group')}, {how_many(others, 'picture')} beside those to keep")


def _write(groups: list[Group], form: str | None) -> None:
    from .hits import plain, write_paths

    if form == "json":
        rows = [_as_json(group) for group in groups]
        sys.stdout.write(json.dumps(plain(rows), indent=2, ensure_ascii=False) + "\n")
    elif form == "csv":
        table = csv.writer(sys.stdout, lineterminator="\n")
        table.writerow(("group", "keep", "score", "key", "source"))
        for number, group in enumerate(groups):
            for keep, score, row in _members(group):
                cells = int(keep), f"{score:.6f}", row["key"], row["source"]
                table.writerow((number, *cells))
    elif form in ("paths", "paths0"):
        places = [row["source"] or row["key"] for group in groups for row in group.others]
        write_paths(places, "\n" if form == "paths" else "\0")
    else:
        _write_text(groups)


def _members(group: Group) -> list[tuple[bool, float, dict[str, Any]]]:
    others = zip(group.scores, group.others, strict=True)
    return [(True, 1.0, group.kept), *((False, score, row) for score, row in others)]


def _as_json(group: Group) -> dict[str, Any]:
    others = zip(group.scores, group.others, strict=True)
    return {
        "keep": group.kept,
        "others": [{"score": round(score, 6), **row} for score, row in others],
    }


def _write_text(groups: list[Group]) -> None:
    from .terminal import printable

    for number, group in enumerate(groups):
        if number:
            click.echo()
        for keep, score, row in _members(group):
            size = f"{row['width']} x {row['height']}" if row["width"] else ""
            click.echo(f"{'keep ' if keep else f'{score:.3f}'}  {printable(row['key'])}  {size}")


def _section(group: Group) -> Any:
    from snaplink.sheet import Section, Tile

    from .hits import tile_name

    return Section(
        tile_name(group.kept["key"]),
        [
            Tile(row["source"], "keep" if keep else f"{score:.3f}", tile_name(row["key"]))
            for keep, score, row in _members(group)
        ],
    )
