"""`snaplink cache`: what lies in the cache, and clearing it up."""

from __future__ import annotations

import click

from . import options
from .exits import say
from .official import chosen, megabytes


@click.command(cls=options.Verb)
@click.option("--prune", is_flag=True, help="Remove unfinished downloads and broken files.")
@click.option("--remove", multiple=True, metavar="MODEL", help="Remove a model. Repeatable.")
@options.as_json
def cache(prune: bool, remove: tuple[str, ...], as_json: bool) -> None:
    """List the files in the cache, or remove some.

    A file is ok (a receipt says that it was verified), unverified (loading it will verify it),
    partial (the next download continues it) or broken (the next download replaces it).
    """
    from clip import cache as library

    from .tables import show

    if remove or prune:
        files = [file for model in chosen(remove) for file in library.remove(model)]
        files += library.prune() if prune else []
    else:
        files = library.contents()
    rows = [
        {
            "model": file.model.name,
            "state": file.state,
            "bytes": file.nbytes,
            "path": str(file.path),
        }
        for file in files
    ]
    columns = {
        "model": lambda row: row["model"],
        "state": lambda row: "removed" if remove or prune else row["state"],
        " size": lambda row: megabytes(row["bytes"]),
        "path": lambda row: row["path"],
    }
    show(rows, columns, as_json=as_json)
    if not rows and not as_json:
        say("nothing was removed" if remove or prune else "there is no official model in the cache")
