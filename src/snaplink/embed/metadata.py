"""The further columns of a row: names that do not clash, values that a table holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain, count
from typing import Any

__all__ = ["OWN_COLUMNS", "flattened", "named"]

_FACTS = {"key", "source", "width", "height", "size", "mtime_ns", "sha256", "caption"}
OWN_COLUMNS = frozenset(_FACTS | {"image_embedding", "text_embedding"})
"""Columns that a store has of its own."""


def named(column: str) -> str:
    """The name of a source's column in the store. In SQL, upper and lower case are one.

    >>> named("license"), named("key"), named("Width")
    ('license', 'meta_key', 'meta_Width')
    """
    return f"meta_{column}" if column.lower() in OWN_COLUMNS else column


def flattened(value: Any) -> dict[str, Any]:
    """A JSON object as columns: names of nested ones joined by dots, lists as JSON text.

    Where two names are one in SQL, the second gets a number.

    >>> flattened({"camera": {"iso": 100}, "tags": ["a"], "key": "7", "Tags": "b"})
    {'camera.iso': 100, 'tags': '["a"]', 'meta_key': '7', 'Tags_2': 'b'}
    """
    if not isinstance(value, Mapping):
        return {}
    columns: dict[str, Any] = {}
    taken: set[str] = set()
    for path, inner in _leaves(value, ""):
        name = _free(named(path), taken)
        taken.add(name.lower())
        columns[name] = json.dumps(inner, ensure_ascii=False) if isinstance(inner, list) else inner
    return columns


def _leaves(value: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _leaves(inner, f"{before}{name}.")
        else:
            yield f"{before}{name}", inner


def _free(name: str, taken: set[str]) -> str:
    numbered = (f"{name}_{number}" for number in count(2))
    return next(each for each in chain([name], numbered) if each.lower() not in taken)
