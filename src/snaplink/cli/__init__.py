"""The command line: parse, call, print. A verb is a file named after it.

A verb's file imports click and little else; what is heavy is imported when the verb runs, so that
every `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from keyword import iskeyword
from typing import NoReturn

import click
from click.shell_completion import shell_complete

from .exits import NAME, run

__all__ = ["COMPLETE", "VERBS", "main", "snaplink"]

COMPLETE = "_SNAPLINK_COMPLETE"
"""The variable by which a shell asks for completions."""

_KERNEL_CACHES, _SHAPES = ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"), "128"
"""How many shapes of matrix products torch and oneDNN keep something prepared for, about 0.3 MB
each. Batches of texts are of ever new shapes: the 1,024 of both would be 0.5 GB."""

VERBS = (
    "classify",
    "embed",
    "search",
    "serve",
    "index",
    "duplicates",
    "cluster",
    "map",
    "export",
    "import",
    "eval",
    "compare",
    "probe",
    "fewshot",
    "calibrate",
    "models",
    "inspect",
    "download",
    "verify",
    "cache",
    "convert",
    "completion",
)


class _Verbs(click.Group):
    """Imports a verb's file when the verb is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        room = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        verb = getattr(import_module(f"{__name__}.{room}"), room)
        assert isinstance(verb, click.Command)
        return verb


@click.group(
    cls=_Verbs,
    invoke_without_command=True,
    subcommand_metavar="VERB ...",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="snaplink", message="snaplink %(version)s")
@click.pass_context
def snaplink(context: click.Context) -> None:
    """CLIP at work: classify, embed, search and evaluate pictures.

    \b
    snaplink classify photo.jpg --labels cat,dog,"red apple"
    snaplink embed photos/ --out photos.store
    snaplink search photos.store "a red apple"

    `snaplink VERB --help` tells more. Exit codes: 0 done, 1 something failed, 2 wrong usage.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main() -> NoReturn:
    """Run the command `snaplink` with this process's arguments and end the process."""
    # Said before torch is imported, which asks once.
    for cache in _KERNEL_CACHES:
        os.environ.setdefault(cache, _SHAPES)
    # Of a picture that cannot be used we say more than Pillow's warnings; the others are used.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    if instruction := os.environ.get(COMPLETE):
        sys.exit(shell_complete(snaplink, {}, NAME, COMPLETE, instruction))
    sys.exit(run(snaplink, sys.argv[1:]))
