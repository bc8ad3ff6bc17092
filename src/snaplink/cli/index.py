"""`snaplink index`: an index that makes search in a large store fast."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from . import options
from .exits import DONE, FAILED, say


@click.command(cls=options.Verb)
@click.argument("store", metavar="STORE")
@click.option(
    "--in",
    "modality",
    type=click.Choice(["image", "text"]),
    help="Index pictures or captions. Without it: pictures, if the store has them.",
)
@click.option(
    "--recall",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.99,
    metavar="SHARE",
    show_default=True,
    help="How many of the ten nearest rows searches are to find; more takes them longer.",
)
@options.as_json
def index(store: str, modality: str | None, recall: float, as_json: bool) -> int:
    """Build an index that makes search in a large store fast.

    It pays from some hundred thousand rows on. Its recall is measured on rows (and captions) that
    were left out, and printed. `snaplink search` uses the index by itself as long as the store
    does not change; afterwards, build it again. Ends with 1 if the wanted recall was not reached.
    """
    from snaplink.search import build_index
    from snaplink.store import Store

    from .terminal import how_many, progress

    opened = Store.open(store)
    with progress("indexing", len(opened)) as added:
        facts = build_index(opened, modality or opened.modalities[0], recall=recall, progress=added)
    if as_json:
        click.echo(json.dumps(asdict(facts), indent=2))
    else:
        size = f"{facts.size / 1e6:,.1f} MB"
        click.echo(f"{how_many(facts.rows, 'row')} indexed, {size}, expansion {facts.expansion}")
        for kind, share in facts.recall.items():
            asked = how_many(facts.queries[kind], {"image": "picture", "text": "caption"}[kind])
            click.echo(f"recall@10 {share:.4f} (asked for {asked})")
        if not facts.recall:
            click.echo("too few rows to measure recall")
    reached = all(share >= recall for share in facts.recall.values())
    if not reached:
        say(f"a recall of {recall:g} was not reached: it is {min(facts.recall.values()):.4f}")
    return DONE if reached else FAILED
