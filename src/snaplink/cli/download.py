"""`snaplink download`: official models into the cache, verified."""

from __future__ import annotations

import json

import click

from . import options
from .exits import DONE, FAILED, say
from .official import chosen


@click.command(cls=options.Verb)
@click.argument("models", nargs=-1, metavar="MODEL...")
@click.option("--all", "everything", is_flag=True, help="All nine official models, 5.6 GB.")
@options.as_json
def download(models: tuple[str, ...], everything: bool, as_json: bool) -> int:
    """Download official models, verified.

    Prints where they are in the cache. What was begun before is continued, and what is there
    already is only verified. The variables CLIP_CACHE, CLIP_MIRROR and CLIP_OFFLINE name another
    cache, other sources, and none at all.

    \b
    snaplink download ViT-B/32
    """
    from clip.cache import obtain
    from clip.errors import DownloadError
    from clip.progress import bar
    from clip.registry import OFFICIAL

    if everything == bool(models):
        raise click.UsageError("name the models, or say --all", click.get_current_context())
    wanted = chosen(models or OFFICIAL)
    rows = []
    for model in wanted:
        try:
            with bar(model.name) as moved:
                path = obtain(model, progress=moved)
        except DownloadError as error:
            say(f"{model.name}: {error}")
            continue
        rows.append({"model": model.name, "path": str(path), "sha256": model.sha256})
        if not as_json:
            click.echo(f"{model.name}\t{path}")
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    return DONE if len(rows) == len(wanted) else FAILED
