"""`snaplink search`: the rows of a store that fit words and pictures best."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .exits import DONE, FAILED, say

if TYPE_CHECKING:
    from snaplink.search import Picture, Words


@click.command(cls=options.Verb)
@click.argument("store", metavar="STORE")
@click.argument("words", nargs=-1, metavar="[WORDS]...")
@click.option(
    "--image", "pictures", multiple=True, metavar="FILE", help="A picture to find more like."
)
@click.option("--not", "avoided", multiple=True, metavar="WORDS", help="What is not wanted.")
@click.option(
    "--also",
    type=(float, str),
    multiple=True,
    metavar="WEIGHT WORDS",
    help="More words, which count this much beside the others' 1; below 0, they are avoided.",
)
@click.option(
    "--also-image",
    "also_pictures",
    type=(float, str),
    multiple=True,
    metavar="WEIGHT FILE",
    help="Likewise a picture.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=10,
    metavar="N",
    show_default=True,
    help="How many rows to find, at most.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(-1, 1),
    metavar="COSINE",
    help="Only rows that score at least this.",
)
@click.option(
    "--where",
    metavar="SQL",
    help="Only rows for which this holds, such as \"width > 640 and caption ilike '%cat%'\".",
)
@click.option(
    "--in",
    "modality",
    type=click.Choice(["image", "text"]),
    help="Search in pictures or in captions. Without it: pictures, if the store has them.",
)
@click.option("--dedupe", is_flag=True, help="Of near duplicates (cosine 0.95), only the best.")
@click.option("--exact", is_flag=True, help="Compare with every row, even if there is an index.")
@options.store_model
@options.device
@options.results
@options.sheet
def search(
    store: str,
    words: tuple[str, ...],
    pictures: tuple[str, ...],
    avoided: tuple[str, ...],
    also: tuple[tuple[float, str], ...],
    also_pictures: tuple[tuple[float, str], ...],
    top: int,
    threshold: float | None,
    where: str | None,
    modality: str | None,
    dedupe: bool,
    exact: bool,
    model: str | None,
    device: str | None,
    form: str | None,
    sheet: Path | None,
) -> int:
    """Find the pictures of a store that fit words or pictures.

    STORE is a directory that `snaplink embed` made. Each of WORDS is a text of its own; all texts
    and pictures together are what is searched for. Scores are cosines. Ends with 1 if nothing was
    found.

    \b
    snaplink search photos.store "a red car" --top 5 --sheet found.html
    snaplink search photos.store "a beach" --not people --also 0.5 "at sunset"
    snaplink search photos.store --image cat.jpg --where "width > 640" --paths
    """
    from snaplink.search import NEAR_DUPLICATE, Picture, Query, Searcher, Words, query_encoder
    from snaplink.sheet import check_form
    from snaplink.store import Store

    from .hits import write_hits, write_sheet_of

    parts: list[Words | Picture] = [Words(text) for text in words]
    parts += [Picture(file) for file in pictures]
    parts += [Words(text, weight) for weight, text in also]
    parts += [Picture(file, weight) for weight, file in also_pictures]
    parts += [Words(text, -1) for text in avoided]
    if not parts:
        raise click.UsageError(
            'say what to search for, such as "a red car", or --image FILE',
            click.get_current_context(),
        )
    if sheet:
        check_form(sheet)
    query = Query(*parts)
    opened = Store.open(store)
    searcher = Searcher(
        opened, lambda: query_encoder(opened, model, device), exact=exact, on_note=say
    )
    hits = searcher.search(
        query,
        top=top,
        threshold=threshold,
        where=where,
        modality=modality,
        dedupe=NEAR_DUPLICATE if dedupe else None,
    )
    write_hits(hits, form or "text")
    if sheet:
        write_sheet_of(hits, sheet, _title(parts))
    if not hits:
        say("nothing in the store fits" if len(opened) else f"{store} is empty")
    return DONE if hits else FAILED


def _title(parts: list[Words | Picture]) -> str:
    """The query as people would say it."""
    return ", ".join(map(_said, parts))


def _said(part: Words | Picture) -> str:
    what = getattr(part, "text", None) or Path(str(getattr(part, "picture", ""))).name
    if part.weight == 1:
        return str(what)
    return f"not {what}" if part.weight == -1 else f"{part.weight:g} x {what}"
