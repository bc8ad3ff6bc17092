"""`snaplink verify`: whether the cached models are what OpenAI published."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from . import options
from .exits import DONE, FAILED, say
from .official import chosen

if TYPE_CHECKING:
    from clip.registry import OfficialModel


@click.command(cls=options.Verb)
@click.argument("models", nargs=-1, metavar="[MODEL...]")
@click.option("--all", "everything", is_flag=True, help="All nine: what is not cached is missing.")
@click.option("--repair", is_flag=True, help="Download again what is broken or missing.")
@options.as_json
def verify(models: tuple[str, ...], everything: bool, repair: bool, as_json: bool) -> int:
    """Check cached models against OpenAI's hashes.

    Without a name, the models that are in the cache.
    """
    from clip.cache import contents
    from clip.registry import OFFICIAL

    if everything and models:
        raise click.UsageError("either name models or say --all", click.get_current_context())
    cached = dict.fromkeys(file.model.name for file in contents())
    wanted = chosen(OFFICIAL if everything else models or cached)
    if not wanted:
        say("there is no official model in the cache")
    rows = []
    for model in wanted:
        rows.append(_verified(model, repair))
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
