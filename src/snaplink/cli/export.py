"""`snaplink export`: a store in a layout that other programs read."""

from __future__ import annotations

from pathlib import Path

import click

from . import options
from .exits import say


@click.command(cls=options.Verb)
@click.argument("store", metavar="STORE")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT")
@click.option(
    "--format",
    "layout",
    type=click.Choice(["clip-retrieval"]),
    default="clip-retrieval",
    show_default=True,
    help="clip-retrieval: folders img_emb, text_emb and metadata, as its inference writes them.",
)
def export(store: str, out: Path, layout: str) -> None:
    """Write a store in a layout that other programs read.

    OUT is a directory, which must be new or empty. A store needs no export for DuckDB, Polars,
    pandas and the like: its shards are Parquet.

    \b
    snaplink export holiday.store holiday-embeddings/
    """
    from snaplink.store import Store
    from snaplink.store.clip_retrieval_export import export as write

    from .terminal import how_many, progress

    opened = Store.open(store)
    with progress("exporting", len(opened)) as written:
        done = write(opened, out, progress=written)
    for modality, count in done.missing.items():
        if count:
            say(f"{how_many(count, 'row')} without a {modality} vector: zeros stand there")
    click.echo(f"{out}: {how_many(done.rows, 'row')} in {how_many(done.partitions, 'partition')}")
