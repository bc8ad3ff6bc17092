"""One picture out of a Parquet file, without reading the others' columns or row groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snaplink.errors import PictureError

from .remote import open_any

__all__ = ["read_cell"]


def read_cell(table: str, row: int) -> bytes:
    """The first bytes in a row.

    Args:
        table: the path or URL of the file.
        row: its number, from 0.

    Raises:
        PictureError: there is no such row, or it holds no bytes.
    """
    with open_any(table) as file:
        parquet = pq.ParquetFile(file)
        names = [field.name for field in parquet.schema_arrow if _may_hold_bytes(field.type)]
        left = row
        for group in range(parquet.num_row_groups):
            count = parquet.metadata.row_group(group).num_rows
            if left < count:
                cells = parquet.read_row_group(group, columns=names).slice(left, 1).to_pylist()[0]
                return _first_bytes(f"{table}#{row}", cells)
            left -= count
    raise PictureError(f"{table}#{row}", "the table has no such row any more")


def _may_hold_bytes(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_struct(kind))


def _first_bytes(address: str, cells: Mapping[str, Any]) -> bytes:
    for cell in cells.values():
        content = cell.get("bytes") if isinstance(cell, Mapping) else cell
        if isinstance(content, bytes):
            return content
    raise PictureError(address, "there are no bytes in this row")
