"""Options that say how classes are put into words, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from snaplink.evaluation.protocol import Templates
    from snaplink.labelled import Labelled

__all__ = ["options", "told"]

Command = TypeVar("Command", bound=Callable[..., Any])

_TEMPLATES = click.option(
    "--templates",
    metavar="FILE|NAME",
    help="The prompts: a text file with one on each line, JSON, or a built-in set such as "
    "imagenet1k or cifar10. Without it: the data's, or those of a built-in --classes.",
)
_TEMPLATE = click.option(
    "--template", "sentences", multiple=True, metavar="TEXT", help="One prompt, with {}."
)


def options(command: Command) -> Command:
    """Add --templates and --template, as `templates` and `sentences`."""
    return _TEMPLATES(_TEMPLATE(command))


def told(
    labelled: Labelled, classes: str | None, templates: str | None, sentences: tuple[str, ...]
) -> tuple[Templates | None, str]:
    """The templates, and where they come from in words; None for the data's own."""
    from snaplink import prompt_sets

    if templates and sentences:
        raise click.UsageError(
            "--templates and --template exclude each other", click.get_current_context()
        )
    if sentences:
        return sentences, "the templates given" if len(sentences) > 1 else repr(sentences[0])
    chosen = templates
    if chosen is None and classes and prompt_sets.is_built_in(classes):
        chosen = classes
    if chosen is None:
        return None, ""
    found = prompt_sets.templates(chosen, labelled.name)
    built_in = prompt_sets.get(chosen) if prompt_sets.is_built_in(chosen) else None
    count = (
        f"the {len(found)} templates of " if not isinstance(found, dict) else "prompts by class, "
    )
    return found, count + (built_in.title if built_in else Path(chosen).name)
