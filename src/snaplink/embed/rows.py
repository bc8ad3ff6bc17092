"""Batches as tables: the columns of a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from snaplink.store import embedding_column

from .items import Batch

__all__ = ["table"]


def table(batch: Batch, dtype: str) -> pa.Table:
    """The rows of a batch.

    Args:
        batch: what an engine made.
        dtype: "float16" or "float32", of the embeddings.
    """
    rows = batch.rows
    columns: dict[str, Any] = {
        "key": pa.array([row.key for row in rows], pa.string()),
        "source": pa.array([row.source for row in rows], pa.string()),
        "width": pa.array([row.width for row in rows], pa.int32()),
        "height": pa.array([row.height for row in rows], pa.int32()),
        "size": pa.array([row.stamp.size for row in rows], pa.int64()),
        "mtime_ns": pa.array([row.stamp.mtime_ns for row in rows], pa.int64()),
        "sha256": pa.array([row.stamp.sha256 for row in rows], pa.string()),
        "caption": pa.array([row.caption for row in rows], pa.string()),
    }
    columns |= _further([row.metadata for row in rows])
    if batch.image is not None:
        columns["image_embedding"] = embedding_column(batch.image.astype(dtype))
    if batch.text is not None:
        missing = ~np.array(batch.has_text, bool)
        columns["text_embedding"] = embedding_column(batch.text.astype(dtype), missing=missing)
    return pa.table(columns)


def _further(metadata: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
    """The further columns. In SQL, upper and lower case are one: the first spelling counts."""
    spelt: dict[str, str] = {}
    for name in (name for each in metadata for name in each):
        spelt.setdefault(name.lower(), name)
    folded = [{name.lower(): value for name, value in each.items()} for each in metadata]
    return {spelt[name]: _values([each.get(name) for each in folded]) for name in spelt}


def _values(values: list[Any]) -> pa.Array:
    """A column of a type that holds all of them: where they have nothing in common, text."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())
