"""`snaplink map`: the pictures of a store on a plane, as a page."""

from __future__ import annotations

from pathlib import Path

import click

from . import options
from .terminal import how_many


@click.command(cls=options.Verb)
@click.argument("store", metavar="STORE")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The page: an .html that needs no other file.",
)
@click.option(
    "--method",
    type=click.Choice(["umap", "pca"]),
    default="umap",
    show_default=True,
    help="umap keeps neighbours together and wants the extra map; pca is quick and coarse.",
)
@click.option(
    "--most",
    type=click.IntRange(min=3, max=10_000),
    default=2000,
    metavar="N",
    show_default=True,
    help="How many pictures to show; of a larger store, some drawn at random.",
)
@click.option(
    "--seed", type=int, default=0, metavar="N", show_default=True, help="Another draws others."
)
def map(store: str, out: Path, method: str, most: int, seed: int) -> None:
    """Draw the pictures of a store on a map, as a page.

    Like pictures lie near each other. Open the page in a browser: scroll to zoom, drag to move,
    find by name.

    \b
    snaplink map photos.store --out map.html
    """
    from snaplink import map as library
    from snaplink.errors import ArgumentError
    from snaplink.files import put
    from snaplink.store import Store

    if out.suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(f"a map is an .html file, not {out.name!r}")
    if not out.absolute().parent.is_dir():
        raise ArgumentError(f"{out.parent} is no folder: the map cannot be written there")
    opened = Store.open(store)
    found = library.place(opened, method=method, most=most, seed=seed)
    title = Path(store).resolve().name
    page = library.map_page(opened, found, title=title).encode()
    put(out, page)
    click.echo(f"{out}: {how_many(len(found.positions), 'picture')}, {len(page) / 1e6:.1f} MB")
