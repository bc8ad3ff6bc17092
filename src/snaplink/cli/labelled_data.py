"""What the verbs on labelled data share: options that say what the data are, and who is skipped."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .exits import NAME, say
from .options import Verb as PlainVerb

if TYPE_CHECKING:
    from snaplink.errors import PictureError
    from snaplink.labelled import Labelled

__all__ = [
    "Skipped",
    "Verb",
    "classes",
    "command_line",
    "of_one_label",
    "open_labelled",
    "options",
    "plots",
    "report",
]

Command = TypeVar("Command", bound=Callable[..., Any])

_TYPED = f"{__name__}.typed"


class Verb(PlainVerb):
    """A verb whose report says how to repeat it: it remembers what was typed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_TYPED] = [NAME, str(ctx.info_name), *args]
        return super().parse_args(ctx, args)


def command_line() -> str:
    """What was typed, as a shell takes it."""
    return shlex.join(click.get_current_context().meta[_TYPED])


report = click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.html",
    help="Write one page that shows it all.",
)

plots = click.option(
    "--plots", type=click.Path(path_type=Path), metavar="DIR", help="Write plots, PNG and SVG."
)

classes = click.option(
    "--classes",
    metavar="FILE|NAME",
    help="What the classes are called: a text file with a name on each line, JSON, or a built-in "
    "list such as imagenet1k. Without it: as the data call them.",
)

_OPTIONS = {
    "task": click.option(
        "--task",
        type=click.Choice(["classification", "multilabel", "retrieval"]),
        help="Without it: what the data look like.",
    ),
    "split": click.option(
        "--split",
        metavar="NAME",
        help="The part of the data. Without it: test, where there is one.",
    ),
    "label": click.option(
        "--label", default="label", metavar="COLUMN", show_default=True, help="Holds the labels."
    ),
    "picture": click.option(
        "--picture", metavar="COLUMN", help="Holds the pictures. Without it: found by its name."
    ),
    "caption": click.option(
        "--caption", default="caption", metavar="COLUMN", show_default=True, help="Holds captions."
    ),
    "separator": click.option(
        "--separator", metavar="TEXT", help="Parts several labels in a cell of a table, such as ;"
    ),
    "root": click.option(
        "--root",
        default="data",
        metavar="DIR",
        show_default=True,
        help="Has torchvision's data.",
    ),
}


def options(command: Command) -> Command:
    """Add the options that say what labelled data are; `open_labelled` takes their values."""
    return _with(command, _OPTIONS)


def of_one_label(command: Command) -> Command:
    """Add those of `options` that data with one label a picture have a use for."""
    return _with(command, ("label", "picture", "root"))


def _with(command: Command, names: Iterable[str]) -> Command:
    for name in reversed(list(names)):
        command = _OPTIONS[name](command)
    return command


def open_labelled(data: str, classes: str | None = None, **where: Any) -> Labelled:
    """Find labelled data.

    Args:
        data: see `snaplink.labelled.open`.
        classes: what --classes was given.
        where: the values of `options`.
    """
    from snaplink import labelled, prompt_sets

    names = prompt_sets.class_names(classes) if classes else None
    published = bool(classes) and prompt_sets.is_built_in(str(classes))
    return labelled.open(data, class_names=names, published=published, **where)


class Skipped:
    """Reports each picture that cannot be used, and counts them."""

    count = 0

    def __call__(self, error: PictureError) -> None:
        self.count += 1
        say(f"skipped {error}")
