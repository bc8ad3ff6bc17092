"""What several verbs share: the check before they run, and options that mean the same."""

from __future__ import annotations

import click

__all__ = ["Verb", "as_json", "device", "model", "precision"]


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
