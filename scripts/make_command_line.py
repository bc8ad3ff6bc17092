"""Writes docs/command-line.md from the commands' own help: python scripts/make_command_line.py"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from snaplink.cli import snaplink

PAGE = Path(__file__).parents[1] / "docs" / "command-line.md"
WIDTH = 88
INTRODUCTION = """\
# The command line

Made from `snaplink --help` and its verbs by `make docs`; a test holds it to that.
"""


def page() -> str:
    """The whole reference as Markdown."""
    sections = (f"## {title}\n\n```text\n{text}\n```\n" for title, text in helps())
    return "\n".join([INTRODUCTION, *sections])


def helps() -> Iterator[tuple[str, str]]:
    """Each command's name with its help."""
    settings = snaplink.context_settings
    root = click.Context(snaplink, info_name="snaplink", terminal_width=WIDTH, **settings)
    yield "snaplink", snaplink.get_help(root)
    for name in snaplink.list_commands(root):
        verb = snaplink.get_command(root, name)
        assert verb is not None
        context = click.Context(verb, parent=root, info_name=name, terminal_width=WIDTH)
        yield f"snaplink {name}", verb.get_help(context)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
