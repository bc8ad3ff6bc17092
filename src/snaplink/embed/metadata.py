"""The further columns of a row: names that do not clash, values that a table holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
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


def flattened(value: Any, before: str = "") -> dict[str, Any]:
    """A JSON object as columns: names of nested ones joined by dots, lists as JSON text.

    >>> flattened({"camera": {"iso": 100}, "tags": ["a"], "key": "7"})
    {'camera.iso': 100, 'tags': '["a"]', 'meta_key': '7'}
    """
    if not isinstance(value, Mapping):
        return {}
    columns: dict[str, Any] = {}
    for name, inner in value.items():
        path = f"{before}{name}"
        if isinstance(inner, Mapping):
            columns |= flattened(inner, f"{path}.")
        else:
            listed = isinstance(inner, list)
            columns[named(path)] = json.dumps(inner, ensure_ascii=False) if listed else inner
    return columns
