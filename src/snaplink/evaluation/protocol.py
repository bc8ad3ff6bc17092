"""How classes are put into words: the prompts of an evaluation, and where they come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snaplink.errors import ArgumentError
from snaplink.labelled import Labelled
from snaplink.prompts import DEFAULT_TEMPLATES, check_templates, fill

__all__ = ["Prompts", "prompts"]

Templates = Sequence[str] | Mapping[str, Sequence[str]]
"""Sentences with a place for the class, or a class's own sentences by its name."""


@dataclass(frozen=True)
class Prompts:
    """What the text tower reads.

    Attributes:
        of_classes: the prompts of each class.
        templates: the sentences that they were made of; empty where each class has its own.
        origin: where the sentences come from, in words.
    """

    of_classes: tuple[tuple[str, ...], ...]
    templates: tuple[str, ...]
    origin: str

    @property
    def sha256(self) -> str:
        """Of all prompts in their order, as JSON: equal prompts have equal hashes."""
        text = json.dumps(self.of_classes, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(map(len, self.of_classes))


def prompts(labelled: Labelled, templates: Templates | None = None, origin: str = "") -> Prompts:
    """Every class x every template, or every class's own sentences.

    Args:
        labelled: the data, which may have brought templates.
        templates: by default the data's own, or else the paper's "a photo of a {}."
        origin: where `templates` come from.

    Raises:
        ArgumentError: a template has no place for the class, or a class has no sentences.
    """
    if isinstance(templates, Mapping):
        missing = [name for name in labelled.class_names if not templates.get(name)]
        if missing:
            raise ArgumentError(f"the prompts given by class have none for {missing[0]!r}")
        own = tuple(tuple(templates[name]) for name in labelled.class_names)
        return Prompts(own, (), origin)
    if templates is None and labelled.templates:
        templates, origin = labelled.templates, "the data's own"
    elif templates is None:
        templates, origin = DEFAULT_TEMPLATES, "the default"
    used = check_templates(templates)
    of_classes = tuple(
        tuple(fill(template, name) for name in names for template in used)
        for names in labelled.synonyms
    )
    return Prompts(of_classes, used, origin)
