"""Which rows an SQL expression over the metadata holds for. DuckDB evaluates it, shut in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from snaplink.errors import ArgumentError, MissingPackageError

from .plain import check_plain

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from .exact import Mask
    from .searchable import Searchable

__all__ = ["rows_where"]

_POSITION = "__position__"

_SHUT_IN = {
    "enable_external_access": "false",  # no file, no network, no extension
    "python_enable_replacements": "false",  # no variable of this process
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "lock_configuration": "true",
}


_OF_A_STRANGER = {"threads": "1", "memory_limit": "512MB"}


def rows_where(store: Searchable, expression: str, *, seconds: float | None = None) -> Mask:
    """The rows for which the expression is true, as bool ``[n]``.

    It is one expression, as after SQL's WHERE, and can neither be a statement nor read a file.

    Args:
        store: its columns, but those of the vectors, can be used.
        expression: such as ``width >= 1000 and caption ilike '%cat%'``.
        seconds: that it may take. The expression is then taken for a stranger's: one thread, little
            memory, no subqueries, no functions that could make much of little.

    Raises:
        ArgumentError: the expression is wrong, or may not be; the message lists the columns.
        MissingPackageError: DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise MissingPackageError("conditions on the rows", "duckdb", "search") from None
    config = _SHUT_IN if seconds is None else _SHUT_IN | _OF_A_STRANGER
    try:
        with duckdb.connect(":memory:", config=dict(config)) as connection:
            if seconds is not None:
                check_plain(connection, expression)
            table = _metadata(store, expression)
            with _interrupted_after(connection, seconds):
                positions = _positions(connection, table, expression)
    except duckdb.InterruptException:
        raise ArgumentError(f"{expression!r} takes longer than {seconds:g} s") from None
    except duckdb.Error as error:
        raise ArgumentError(_explained(error, expression, store)) from None
    mask = np.zeros(len(store), bool)
    mask[positions] = True
    return mask


@contextmanager
def _interrupted_after(
    connection: duckdb.DuckDBPyConnection, seconds: float | None
) -> Iterator[None]:
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _positions(
    connection: duckdb.DuckDBPyConnection, table: pa.Table, expression: str
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    import duckdb

    # Parsed as an expression by itself, which a second statement or a closing bracket is not, and
    # in brackets, which one with a name after it ("width foo", "width between") is not.
    condition = duckdb.SQLExpression(expression)
    duckdb.SQLExpression(f"({expression}\n)")
    rows = connection.from_arrow(table).filter(condition).select(_POSITION)
    found: np.ndarray[tuple[int], np.dtype[np.int64]] = rows.fetchnumpy()[_POSITION]
    return found


def _metadata(store: Searchable, expression: str) -> pa.Table:
    """Positions, and every column whose name stands in the expression: the others are not read."""
    import pyarrow as pa

    said = expression.casefold()
    columns = [name for name in store.schema.names if name.replace('"', '""').casefold() in said]
    positions = pa.array(np.arange(len(store)))
    if not columns:  # a table without columns would have no rows
        return pa.table({_POSITION: positions})
    return store.table(columns).append_column(_POSITION, positions)


def _explained(error: Exception, expression: str, store: Searchable) -> str:
    kind, _, problem = str(error).splitlines()[0].partition(": ")
    return (
        f"{expression!r} is no condition on the rows ({problem or kind}). "
        f"The columns are {', '.join(store.schema.names)}"
    )
