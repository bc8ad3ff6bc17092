"""The paper's prompts and class names, by the name of a data set; and people's own, from files."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .errors import ArgumentError

__all__ = ["PromptSet", "class_names", "get", "is_built_in", "names", "templates"]

_FILE = Path(__file__).parent / "data" / "prompt_sets.json"

# How the paper, torchvision and people call what CLIP_benchmark calls otherwise.
_OTHER_NAMES = {
    "imagenet": "imagenet1k",
    "imagenet7": "imagenet1k_7",
    "simpleimagenet": "imagenet1k_7",
    "stanfordcars": "cars",
    "describabletextures": "dtd",
    "facialemotionrecognition2013": "fer2013",
    "flowers102": "flowers",
    "oxfordflowers102": "flowers",
    "oxfordpets": "pets",
    "oxfordiiitpet": "pets",
    "patchcamelyon": "pcam",
    "pascalvoc2007": "voc2007",
    "voc2007multilabel": "voc2007",
    "clevrcounts": "clevr_count_all",
    "kitti": "kitti_closest_vehicle_distance",
    "sst2": "renderedsst2",
    "aircraft": "fgvc_aircraft",
}


@dataclass(frozen=True)
class PromptSet:
    """The prompts of a data set.

    Attributes:
        name: as CLIP_benchmark calls it.
        title: as the paper calls it.
        templates: sentences with {} where a class goes.
        classes: names in the order of the data set's labels, or several names for a class; empty
            for Birdsnap and Kinetics700.
    """

    name: str
    title: str
    templates: tuple[str, ...]
    classes: tuple[str | tuple[str, ...], ...]


@cache
def _sets() -> dict[str, PromptSet]:
    read = json.loads(_FILE.read_text(encoding="utf-8"))["sets"]
    return {
        name: PromptSet(
            name,
            each["title"],
            tuple(each["templates"]),
            tuple(c if isinstance(c, str) else tuple(c) for c in each["classes"]),
        )
        for name, each in read.items()
    }


def names() -> list[str]:
    """What `get` knows."""
    return sorted(_sets())


def get(name: str) -> PromptSet | None:
    """A built-in set by CLIP_benchmark's, torchvision's or the paper's name; else None.

    >>> len(get("ImageNet").templates), len(get("imagenet1k").classes)
    (80, 1000)
    """
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    by_plain = {re.sub(r"[^a-z0-9]", "", each): each for each in _sets()}
    found = _OTHER_NAMES.get(plain) or by_plain.get(plain)
    return _sets()[found] if found else None


def is_built_in(given: str) -> bool:
    """Whether this names a built-in set and not a file."""
    return get(given) is not None and not Path(given).is_file()


def class_names(given: str) -> Sequence[Any] | Mapping[str, Any]:
    """Class names from a file, or a built-in list.

    Args:
        given: a text file with a name on each line; a JSON file with a list, or a dictionary from
            labels to names (a name may be a list of several); or the name of a built-in set.

    Raises:
        ArgumentError: there is neither such a file nor such a set.
    """
    built_in = get(given)
    if built_in is not None and is_built_in(given):
        if not built_in.classes:
            raise ArgumentError(f"{built_in.title} has prompts here, but no list of class names")
        return built_in.classes
    read = _read(given, "class names")
    items = list(read.values()) if isinstance(read, dict) else read
    if not all(isinstance(item, str) or _are_texts(item) for item in items):
        raise ArgumentError(f"{given}: a class name is no text")
    return items if isinstance(read, list) else dict(read)


def templates(given: str, dataset: str = "") -> Sequence[str] | Mapping[str, Sequence[str]]:
    """Templates from a file, or a built-in set.

    Args:
        given: a text file with a template on each line; a JSON file with a list, with lists by
            data set (as CLIP_benchmark has) or with a class's own prompts by its name (as CuPL
            has); or the name of a built-in set.
        dataset: chooses among lists by data set.

    Raises:
        ArgumentError: there is neither such a file nor such a set.
    """
    built_in = get(given)
    if built_in is not None and is_built_in(given):
        return built_in.templates
    read = _read(given, "templates")
    if isinstance(read, list):
        if not _are_texts(read):
            raise ArgumentError(f"{given}: a template is no text")
        return read
    chosen = read.get(dataset, read)
    if _are_texts(chosen):
        return list(chosen)
    if not all(_are_texts(own) for own in chosen.values()):
        raise ArgumentError(
            f"{given}: neither a list of templates, nor lists by class, nor any for {dataset!r}"
        )
    return dict(chosen)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)


def _read(given: str, what: str) -> Any:
    path = Path(given)
    if not path.is_file():
        raise ArgumentError(
            f"{os.fspath(given)!r} is neither a file with {what} nor a built-in set, which are "
            f"{', '.join(names())}"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
        read = json.loads(text) if path.suffix == ".json" else _lines(text)
    except UnicodeDecodeError:
        raise ArgumentError(f"{given} is not text in UTF-8: save it as such") from None
    except json.JSONDecodeError as error:
        raise ArgumentError(f"{given} is no JSON: {error}") from None
    if not isinstance(read, list | dict) or not read:
        raise ArgumentError(f"{given} holds no {what}")
    return read


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
