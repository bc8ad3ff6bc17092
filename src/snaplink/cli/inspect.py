"""`snaplink inspect`: what a checkpoint is."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from . import options
from .official import megabytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clip.architecture import Architecture
    from snaplink.inspection import CheckpointFacts


@click.command(cls=options.Verb)
@click.argument("checkpoint")
@options.as_json
def inspect(checkpoint: str, as_json: bool) -> None:
    """Say what a checkpoint is, without running it.

    Only its headers are read, and its bytes hashed: no model is built.

    CHECKPOINT is a file or directory in any format that clip.load reads, or a model's name.
    """
    from snaplink.inspection import inspect_checkpoint

    from .terminal import console, printable

    facts = inspect_checkpoint(checkpoint)
    if as_json:
        click.echo(json.dumps(asdict(facts), indent=2, ensure_ascii=False))
        return
    from rich.text import Text

    page = console()
    for name, value in _lines(facts):
        line = Text.assemble((f"{name:<13}", "bold"), printable(value))
        page.print(line, soft_wrap=True)


def _lines(facts: CheckpointFacts) -> Iterator[tuple[str, str]]:
    sizes = facts.architecture
    yield "path", facts.path
    yield "model", facts.official or "no official model"
    yield "format", f"{facts.format}, {facts.layout}'s names"
    yield "pictures", _picture_tower(sizes)
    yield (
        "texts",
        f"{sizes.transformer_layers} layers of width {sizes.transformer_width}, "
        f"{sizes.context_length} tokens of {sizes.vocab_size:,}",
    )
    yield "features", f"{sizes.embed_dim}"
    yield "activation", facts.activation or "not said, so OpenAI's QuickGELU"
    yield "parameters", f"{facts.parameters:,}"
    yield "dtypes", ", ".join(f"{name} {count:,}" for name, count in facts.dtypes.items())
    for file in facts.files:
        yield "file", f"{file.path}, {megabytes(file.nbytes)}"
        yield "SHA-256", file.sha256


def _picture_tower(sizes: Architecture) -> str:
    seen = f"{sizes.image_resolution} x {sizes.image_resolution} pixels"
    if sizes.vision_patch_size is None:
        return f"ResNet, stages of {sizes.vision_layers} blocks, width {sizes.vision_width}, {seen}"
    return (
        f"ViT, {sizes.vision_layers} layers of width {sizes.vision_width}, "
        f"patches of {sizes.vision_patch_size}, {seen}"
    )
