"""`failures.parquet`: which keys could not be embedded, and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from snaplink.errors import StoreError

from .files import sync_directory, write_whole

__all__ = ["read_failures", "write_failures"]

NAME = "failures.parquet"
_SCHEMA = pa.schema([("key", pa.string()), ("reason", pa.string())])


def read_failures(store: Path) -> dict[str, str]:
    """The reasons by key; none where there is no such file.

    Raises:
        StoreError: the file is damaged.
    """
    path = store / NAME
    try:
        table = pq.read_table(path, schema=_SCHEMA, memory_map=False)
    except FileNotFoundError:
        return {}
    except (OSError, pa.ArrowException):
        raise StoreError(
            f"{path} is damaged: remove it; what failed is then tried and noted again"
        ) from None
    return dict(zip(table["key"].to_pylist(), table["reason"].to_pylist(), strict=True))


def write_failures(store: Path, reasons: Mapping[str, str]) -> None:
    """Replace the whole file."""
    table = pa.table([list(reasons), list(reasons.values())], schema=_SCHEMA)
    write_whole(store / NAME, lambda file: pq.write_table(table, pa.PythonFile(file, mode="w")))
    sync_directory(store)
