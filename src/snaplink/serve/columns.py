"""What the columns of a store hold, for whoever wants to set conditions on them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from .standing import Standing

__all__ = ["HIDDEN", "columns_of", "plain_value"]

HIDDEN = frozenset({"source", "size", "mtime_ns", "sha256"})
"""Columns that tell of a picture's file, not of the picture."""

_FEW = 50
"""Values that a column may have to be listed."""

_LONGEST_VALUE = 200


def columns_of(standing: Standing) -> list[dict[str, Any]]:
    """Each column's name and type, its values if they are few, and the least and the largest."""
    names = [name for name in standing.schema.names if name not in HIDDEN]
    return [_column(standing, name) for name in names]


def _column(standing: Standing, name: str) -> dict[str, Any]:
    values = standing.table([name])[name]
    kind = _kind(values.type)
    least = largest = None
    if kind in ("number", "time"):
        bounds = pc.min_max(values).as_py()
        least, largest = plain_value(bounds["min"]), plain_value(bounds["max"])
    return {
        "name": name,
        "type": kind,
        "values": _distinct(values) if name != "key" and kind != "other" else None,
        "min": least,
        "max": largest,
    }


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "time"
    return "text" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else "other"


def _distinct(values: pa.ChunkedArray) -> list[dict[str, Any]] | None:
    """The values and how often each occurs, the most frequent first; None if there are many."""
    if pc.count_distinct(values).as_py() > _FEW:
        return None
    pairs = [
        (plain_value(each["values"]), each["counts"])
        for each in pc.value_counts(values).to_pylist()
    ]
    counted = [{"value": value, "count": count} for value, count in pairs if value is not None]
    if any(len(str(each["value"])) > _LONGEST_VALUE for each in counted):
        return None
    return sorted(counted, key=lambda each: (-each["count"], str(each["value"])))


def plain_value(value: Any) -> Any:
    """As JSON can say it: no NaN, no bytes; times as ISO 8601 has them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, list):
        return [plain_value(each) for each in value]
    if isinstance(value, dict):
        return {str(name): plain_value(each) for name, each in value.items()}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
