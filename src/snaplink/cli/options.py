"""What several verbs share: the check before they run, and options that mean the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

__all__ = [
    "Verb",
    "as_json",
    "device",
    "model",
    "precision",
    "results",
    "sheet",
    "store_model",
]


class Verb(click.Command):
    """A verb that uses `clip`, and so first makes sure that it is our own."""

    def invoke(self, ctx: click.Context) -> object:
        from snaplink import own_clip

        own_clip.check()
        return super().invoke(ctx)


model = click.option(
    "--model",
    default="tiny",
    metavar="NAME",
    help="A name that `snaplink models` lists, or a checkpoint file or directory. Without it: "
    "tiny, which is built in, knows drawings and icons, and knows nothing of photographs.",
)

device = click.option(
    "--device",
    metavar="DEVICE",
    help="Where the model runs: cpu, cuda, mps and the like. Without it: cuda if there is any.",
)

precision = click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "int8"]),
    help="Run a packed copy of the model in fp32, bf16 or int8; auto measures once which is the "
    "fastest here that gives nearly the same features. Without it: the model as it is, exact.",
)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for other programs.")

store_model = click.option(
    "--model",
    metavar="NAME",
    help="Where the store's model is now, if it is a file that was moved. Without it: by the name "
    "that the store has noted. Another model is refused.",
)

sheet = click.option(
    "--sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Show them on a contact sheet, too: a .png, or a .html that needs no other file.",
)


def results(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options for the form in which rows of a store are printed, as `form`."""
    forms = (
        (("--paths0", "-0"), "paths0", "Likewise, each ended by a NUL, for xargs -0."),
        (("--paths",), "paths", "Print only where the pictures are, one a line."),
        (("--csv",), "csv", "Print CSV, with all columns of the store."),
        (("--json",), "json", "Print JSON, with all columns of the store."),
    )
    for names, form, what in forms:
        command = click.option(*names, "form", flag_value=form, help=what)(command)
    return command
