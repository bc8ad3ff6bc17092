"""`snaplink verify`: whether cached models and stores are what was once written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .exits import DONE, FAILED, say
from .official import chosen
from .terminal import how_many

if TYPE_CHECKING:
    from clip.registry import OfficialModel


@click.command(cls=options.Verb)
@click.argument("names", nargs=-1, metavar="[MODEL|STORE...]")
@click.option("--all", "everything", is_flag=True, help="All nine: what is not cached is missing.")
@click.option(
    "--repair",
    is_flag=True,
    help="Download again what is broken or missing of models. Of stores, write derived files anew "
    "and set damaged shards aside, for `snaplink embed` to make their rows again.",
)
@options.as_json
def verify(names: tuple[str, ...], everything: bool, repair: bool, as_json: bool) -> int:
    """Check cached models and stores against their hashes.

    Without a name, the models that are in the cache.
    """
    from clip.cache import contents
    from clip.registry import OFFICIAL

    stores = [Path(name) for name in names if (Path(name) / "manifest.json").exists()]
    models = [name for name in names if Path(name) not in stores]
    if everything and models:
        raise click.UsageError("either name models or say --all", click.get_current_context())
    cached = dict.fromkeys(file.model.name for file in contents())
    wanted = chosen(OFFICIAL if everything else models or ([] if stores else cached))
    if not wanted and not stores:
        say("there is no official model in the cache")
    rows = []
    items: list[OfficialModel | Path] = [*wanted, *stores]
    for item in items:
        if isinstance(item, Path):
            rows.append(_verified_store(item, repair))
        else:
            rows.append(_verified(item, repair))
        if not as_json:
            click.echo("\t".join(rows[-1].values()))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    return DONE if all(row["state"] in ("ok", "repaired") for row in rows) else FAILED


def _verified(model: OfficialModel, repair: bool) -> dict[str, str]:
    """What was found; a file that cannot be read or repaired is reported, and the rest goes on."""
    from clip import cache
    from clip.errors import DownloadError
    from clip.progress import bar

    state: str = "broken"
    try:
        with bar(model.name) as moved:
            file = cache.verify(model, progress=moved)
            state = file.state if file else "missing"
            if repair and state != "ok":
                cache.obtain(model, progress=moved)
                state = "repaired"
    except DownloadError as error:
        say(f"{model.name}: {error}")
    return {"model": model.name, "state": state, "path": str(cache.place(model.file))}


def _verified_store(store: Path, repair: bool) -> dict[str, str]:
    """Likewise."""
    from snaplink.errors import StoreError
    from snaplink.store import Manifest
    from snaplink.store.repair import faults
    from snaplink.store.repair import repair as mend

    state = "broken"
    try:
        manifest = Manifest.read(store)
        lost = 0
        if repair:
            done = mend(store)
            found, lost = done.faults, done.rows_lost
        else:
            found = faults(store, manifest)
        for fault in found:
            say(fault)
        if lost:
            say(f"{how_many(lost, 'row')} to embed again: the same snaplink embed does it")
        state = ("repaired" if repair else "broken") if found else "ok"
    except StoreError as error:
        say(str(error))
    return {"store": str(store), "state": state}
