"""Prompts: class names x templates to one weight vector a class."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from torch import Tensor

from .errors import ArgumentError

__all__ = [
    "DEFAULT_TEMPLATES",
    "check_labels",
    "check_templates",
    "class_weights",
    "fill",
    "prompt_weights",
    "quoted",
]

DEFAULT_TEMPLATES = ("a photo of a {}.",)
"""The prompt of section 3.1.4 of the paper, which serves labels of any kind."""

_PLACE = re.compile(r"\{c?\}")
_QUOTED = 60
"""So many characters of a text are enough to know it by."""


def fill(template: str, label: str) -> str:
    """Put a label into a template, at ``{}`` (openai/CLIP's way) or ``{c}`` (CLIP_benchmark's).

    >>> fill("a photo of a {}.", "cat")
    'a photo of a cat.'
    """
    return _PLACE.sub(lambda _: label, template)


def quoted(text: str) -> str:
    """A text, or the beginning of a long one, as messages have it.

    >>> quoted("cat"), quoted("cat " * 100)[-10:]
    ("'cat'", "cat cat …'")
    """
    return repr(text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…")


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels, stripped of surrounding spaces.

    Raises:
        ArgumentError: one text instead of several, fewer than two labels, an empty one, or one
            given twice (CLIP's tokenizer knows no capitals).

    >>> check_labels(["cat", " red apple"])
    ('cat', 'red apple')
    """
    _refuse_one_text(labels, "labels", ["cat", "dog"])
    stripped = tuple(label.strip() for label in labels)
    seen: set[str] = set()
    for position, label in enumerate(stripped, 1):
        if not label:
            raise ArgumentError(f"label {position} of {len(stripped)} is empty")
        if label.casefold() in seen:
            raise ArgumentError(f"the label {quoted(label)} is given twice (capitals do not count)")
        seen.add(label.casefold())
    if len(stripped) == 1:
        raise ArgumentError(
            f"{quoted(stripped[0])} is the only label, so every picture would get it: give at "
            "least two"
        )
    if not stripped:
        raise ArgumentError("no labels: give at least two")
    return stripped


def check_templates(templates: Sequence[str]) -> tuple[str, ...]:
    """The templates.

    Raises:
        ArgumentError: one text instead of several, none, or one without a place for the label.
    """
    _refuse_one_text(templates, "templates", ["a photo of a {}."])
    for template in templates:
        if not _PLACE.search(template):
            raise ArgumentError(f"the template {quoted(template)} has no {{}} where the label goes")
    if not templates:
        raise ArgumentError("no templates: give at least one, such as 'a photo of a {}.'")
    return tuple(templates)


def _refuse_one_text(given: Sequence[str], name: str, good: list[str]) -> None:
    """A text is a sequence of texts, too: of its letters."""
    if isinstance(given, str):
        raise ArgumentError(f"{name} is one text, {quoted(given)}: give a list, such as {good}")


def class_weights(
    labels: Sequence[str], templates: Sequence[str], encode: Callable[[list[str]], Tensor]
) -> Tensor:
    """One unit vector a label: the mean of its prompts' unit vectors, normalised again.

    As openai/CLIP's notebook Prompt_Engineering_for_ImageNet does.

    Args:
        labels: class names.
        templates: sentences with ``{}`` or ``{c}`` where the name goes.
        encode: n texts to their features ``[n, dim]``, of any length.

    Returns:
        ``[len(labels), dim]``, of the features' dtype.
    """
    prompts = [[fill(template, label) for template in templates] for label in labels]
    return prompt_weights(prompts, encode)


def prompt_weights(
    prompts: Sequence[Sequence[str]], encode: Callable[[list[str]], Tensor]
) -> Tensor:
    """One unit vector a class: the mean of its own prompts' unit vectors, normalised again.

    Args:
        prompts: of each class, at least one.
        encode: n texts to their features ``[n, dim]``, of any length.

    Returns:
        ``[len(prompts), dim]``, of the features' dtype.
    """
    features = F.normalize(encode([text for own in prompts for text in own]), dim=-1)
    means = [own.mean(0) for own in torch.split(features, [len(own) for own in prompts])]
    return F.normalize(torch.stack(means), dim=-1)  # [classes, dim]
