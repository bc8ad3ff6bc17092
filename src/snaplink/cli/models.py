"""`snaplink models`: the models that have a name."""

from __future__ import annotations

from typing import Any

import click

from . import options
from .official import megabytes


@click.command(cls=options.Verb)
@options.as_json
def models(as_json: bool) -> None:
    """List the models that --model knows by name.

    Resolution is the side, in pixels, of the square picture that a model sees; dimension the
    width of its features. ImageNet is the published zero-shot accuracy (top 1).
    """
    from clip.registry import OFFICIAL

    from .tables import show

    states = _cache_states()
    rows: list[dict[str, Any]] = [_tiny()]
    rows += [
        {
            "model": model.name,
            "bytes": model.nbytes,
            "parameters": model.parameters,
            "resolution": model.resolution,
            "dimension": model.embed_dim,
            "imagenet_top1": model.imagenet_top1,
            "cached": states.get(model.name, "no"),
            "sha256": model.sha256,
        }
        for model in OFFICIAL.values()
    ]
    columns = {
        "model": lambda row: row["model"],
        " size": lambda row: megabytes(row["bytes"]),
        " parameters": lambda row: f"{row['parameters'] / 1e6:.0f} M",
        " resolution": lambda row: f"{row['resolution']}",
        " dimension": lambda row: f"{row['dimension']}",
        " ImageNet": lambda row: f"{row['imagenet_top1']} %" if row["imagenet_top1"] else "",
        "cached": lambda row: row["cached"],
    }
    show(rows, columns, as_json=as_json)
    if not as_json:
        click.echo("\ntiny knows drawings, icons and digits, but no photographs.")


def _tiny() -> dict[str, Any]:
    from clip.registry import TINY
    from snaplink.inspection import inspect_checkpoint

    facts = inspect_checkpoint("tiny")
    return {
        "model": "tiny",
        "bytes": TINY.stat().st_size,
        "parameters": facts.parameters,
        "resolution": facts.architecture.image_resolution,
        "dimension": facts.architecture.embed_dim,
        "imagenet_top1": None,
        "cached": "built in",
        "sha256": facts.files[0].sha256,
    }


def _cache_states() -> dict[str, str]:
    """Names of models to what is in the cache: yes, partly or broken."""
    from clip.cache import contents

    words = {"ok": "yes", "unverified": "yes", "partial": "partly", "broken": "broken"}
    states: dict[str, str] = {}
    for file in contents():  # a whole file comes before what lies beside it
        states.setdefault(file.model.name, words[file.state])
    return states
