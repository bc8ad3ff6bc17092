"""`snaplink convert`: a checkpoint in another form."""

from __future__ import annotations

from typing import Literal

import click

from . import options


@click.command(cls=options.Verb)
@click.argument("checkpoint")
@click.argument("out", type=click.Path())
@click.option(
    "--to",
    "layout",
    type=click.Choice(["openai", "transformers"]),
    default="openai",
    show_default=True,
    help="openai: one safetensors file. transformers: a directory for CLIPModel.from_pretrained.",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16", "bfloat16"]),
    help="Of the weights. Without it: as they are stored.",
)
def convert(
    checkpoint: str, out: str, layout: Literal["openai", "transformers"], dtype: str | None
) -> None:
    """Write a checkpoint as safetensors.

    CHECKPOINT is a file or directory in any format that clip.load reads, or a model's name.

    \b
    snaplink convert ViT-B-32.pt ViT-B-32.safetensors
    snaplink convert ViT-B-32.pt vit-b-32/ --to transformers
    """
    import torch

    from snaplink import convert as library
    from snaplink.inspection import locate

    chosen = getattr(torch, dtype) if dtype else None
    click.echo(library.convert(locate(checkpoint), out, to=layout, dtype=chosen))
