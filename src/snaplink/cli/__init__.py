"""The command line: parse, call, print. A verb is a file named after it.

A verb's file imports click and little else; what is heavy is imported when the verb runs, so that
every `--help` answers at once.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import NoReturn

import click

from .exits import run

__all__ = ["main", "snaplink"]

VERBS = ("classify", "models", "inspect", "download", "verify", "cache", "convert", "completion")


class _Verbs(click.Group):
    """Imports a verb's file when the verb is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        verb = getattr(import_module(f"{__name__}.{cmd_name}"), cmd_name)
        assert isinstance(verb, click.Command)
        return verb


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="snaplink", message="snaplink %(version)s")
def snaplink() -> None:
    """Classify pictures with words, by CLIP.

    \b
    snaplink classify photo.jpg --labels cat,dog,"red apple"

    `snaplink VERB --help` tells more. Exit codes: 0 done, 1 something failed, 2 wrong usage.
    """


def main() -> NoReturn:
    """Run the command `snaplink` with this process's arguments and end the process."""
    sys.exit(run(snaplink))
