"""Labels, as data have them, to classes, as prompts name them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from snaplink.errors import ArgumentError

__all__ = ["ClassNames", "Classes", "Name", "classes", "spelt"]

Name = str | Sequence[str]
"""A class's name; or several, of which the first is shown and all go into prompts."""

ClassNames = Sequence[Name] | Mapping[str, Name]

_SHOWN = 5


@dataclass(frozen=True)
class Classes:
    """The classes of some data.

    Attributes:
        names: what they are called.
        synonyms: what goes into the prompts of each.
        positions: from a label of the data to its class.
    """

    names: tuple[str, ...]
    synonyms: tuple[tuple[str, ...], ...]
    positions: Mapping[str, int]


def classes(
    labels: Iterable[str],
    given: ClassNames | None,
    *,
    numbers: bool = False,
    published: bool = False,
) -> Classes:
    """Match the labels that occur in the data with the names that were given.

    Args:
        labels: those that occur.
        given: names by label, or in the order of the classes, or a list with all the labels; None
            takes the labels themselves, with spaces for underscores.
        numbers: whether the labels are positions, counted from 0, and so no names.
        published: whether `given` is a list as others published it, in which two classes may have
            one name: ImageNet has two missiles and two sunglasses.

    Raises:
        ArgumentError: they do not match, or two classes have one name.

    >>> classes(["red_apple", "cat"], None).names
    ('cat', 'red apple')
    >>> classes(["n02", "n01"], ["tench", "goldfish"]).positions
    {'n01': 0, 'n02': 1}
    """
    found = sorted(set(labels), key=_natural)
    if isinstance(given, Mapping):
        missing = [label for label in found if label not in given]
        if missing:
            raise ArgumentError(f"no class name is given for {_some(missing)}")
        named = {label: i for i, label in enumerate(given)}
        return _made(list(given.values()), named, published)
    if given is None:
        if numbers:
            raise ArgumentError(
                f"the labels are numbers ({_some(found)}): say what the classes are called, "
                "with --classes and a file of their names in order, or with a built-in list"
            )
        return _made([spelt(label) for label in found], {name: i for i, name in enumerate(found)})
    return _made(list(given), _matched(found, given), published)


def _matched(found: list[str], given: Sequence[Name]) -> dict[str, int]:
    """By name where all labels are names; by number; or else one by one, if none is elsewhere."""
    by_name = {_plain(_synonyms(name)[0]): i for i, name in enumerate(given)}
    if all(_plain(label) in by_name for label in found):
        return {label: by_name[_plain(label)] for label in found}
    if all(label.isdecimal() for label in found):
        beyond = [label for label in found if int(label) >= len(given)]
        if beyond:
            raise ArgumentError(
                f"the label {beyond[-1]} is beyond the {len(given)} class names, "
                "which are counted from 0"
            )
        return {label: int(label) for label in found}
    # A name elsewhere than its label: the list has an order of its own, and a slip in it.
    moved = any(by_name.get(_plain(label), i) != i for i, label in enumerate(found))
    if len(found) == len(given) and not moved:
        return {label: i for i, label in enumerate(found)}
    strange = [label for label in found if _plain(label) not in by_name]
    raise ArgumentError(
        f"not in the list of {len(given)} class names: {_some(strange)}. Name all of the "
        f"labels in it, or give as many names as there are labels ({len(found)}), in their order"
    )


def _made(given: Sequence[Name], positions: Mapping[str, int], published: bool = False) -> Classes:
    synonyms = tuple(_synonyms(name) for name in given)
    names = tuple(each[0] for each in synonyms)
    seen: dict[str, int] = {}
    for i, name in enumerate(names):
        if not name:
            raise ArgumentError(f"class name {i + 1} of {len(names)} is empty")
        if name.casefold() in seen and not published:
            raise ArgumentError(
                f"two classes, {seen[name.casefold()] + 1} and {i + 1}, are called {name!r} "
                "(capitals do not count), and no answer could tell them apart: rename one"
            )
        seen[name.casefold()] = i
    if len(names) == 1:
        raise ArgumentError(
            f"{names[0]!r} is the only class, so every picture would get it: there must be at "
            "least two, here or in a list given with --classes"
        )
    return Classes(names, synonyms, positions)


def spelt(label: str) -> str:
    """A folder's name as words.

    >>> spelt("red_apple")
    'red apple'
    """
    return " ".join(label.replace("_", " ").split())


def _synonyms(name: Name) -> tuple[str, ...]:
    return tuple(each.strip() for each in ((name,) if isinstance(name, str) else name)) or ("",)


def _plain(label: str) -> str:
    return spelt(label).casefold()


def _natural(label: str) -> tuple[bool, int, str]:
    """Numbers by their value, before words."""
    is_number = label.isdecimal()
    return (not is_number, int(label) if is_number else 0, label)


def _some(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _SHOWN:,} more" if len(labels) > _SHOWN else ""
    return ", ".join(map(repr, labels[:_SHOWN])) + more
