"""Names that stand for many: braces, as shells and webdatasets have them."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["expanded"]

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def expanded(name: str) -> Iterator[str]:
    """What braces stand for, in their order.

    >>> list(expanded("{008..010}.tar"))
    ['008.tar', '009.tar', '010.tar']
    >>> list(expanded("{cat,dog}/1.png"))
    ['cat/1.png', 'dog/1.png']
    >>> list(expanded("odd {name}.png"))
    ['odd {name}.png']
    """
    for braces in _BRACES.finditer(name):
        choices = _choices(braces[1])
        if choices:
            before, after = name[: braces.start()], name[braces.end() :]
            for choice in choices:
                for rest in expanded(after):
                    yield before + choice + rest
            return
    yield name


def _choices(inside: str) -> list[str]:
    numbers = _RANGE.fullmatch(inside)
    if numbers:
        first, last = numbers.groups()
        return [f"{number:0{len(first)}}" for number in range(int(first), int(last) + 1)]
    return inside.split(",") if "," in inside else []
