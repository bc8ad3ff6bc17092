"""The columns of a store, and how tables from anywhere are made to have them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from snaplink.errors import StoreError
from snaplink.vectors import Matrix

from .manifest import MODALITIES

__all__ = [
    "KEY",
    "STANDARD",
    "Spelling",
    "column_of",
    "conform",
    "embedding_column",
    "matrix_of",
    "plain",
    "unified",
]

KEY = "key"

STANDARD = pa.schema(
    [
        pa.field(KEY, pa.string(), nullable=False),
        ("source", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("sha256", pa.string()),
        ("caption", pa.string()),
    ]
)
"""The columns that every shard has, before those of the source and those of the vectors."""


class Spelling:
    """How a store spells its columns: in SQL upper and lower case are one, so the first counts.

    Args:
        names: of the columns that the store has, in any order.

    >>> spelling = Spelling(["Camera"])
    >>> spelling.of(pa.table({"KEY": ["a"], "camera": ["b"], "Lens": ["c"]})).column_names
    ['key', 'Camera', 'Lens']
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._known: dict[str, str] = {}
        for name in (*STANDARD.names, *map(column_of, MODALITIES), *names):
            self._known.setdefault(name.lower(), name)

    def of(self, table: pa.Table) -> pa.Table:
        """The table with its columns spelt as the store does; new ones are remembered.

        Raises:
            StoreError: two of its columns have one name.
        """
        own: dict[str, str] = {}
        for name in table.column_names:
            if (other := own.get(name.lower())) is not None:
                raise StoreError(
                    f"the columns {other!r} and {name!r} are one in SQL, where upper and lower "
                    "case are the same: rename or drop one of them"
                )
            own[name.lower()] = name
        return table.rename_columns([self._known.setdefault(*each) for each in own.items()])


def column_of(modality: str) -> str:
    """The name of the column that holds the vectors of a modality."""
    return f"{modality}_embedding"


EMBEDDINGS = frozenset(map(column_of, MODALITIES))


def embedding_column(
    matrix: Matrix, *, missing: npt.NDArray[np.bool_] | None = None
) -> pa.FixedSizeListArray:
    """A column of vectors, from a matrix ``[n, dim]`` of float16 or float32.

    Args:
        matrix: a vector a row.
        missing: ``[n]``, true where a row holds none: null in the column.

    >>> embedding_column(np.eye(2, dtype=np.float32)).to_pylist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    values = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    mask = pa.array(missing) if missing is not None and missing.any() else None
    return pa.FixedSizeListArray.from_arrays(values, matrix.shape[1], mask=mask)


def matrix_of(column: pa.ChunkedArray | pa.Array, dim: int) -> Matrix:
    """The inverse: ``[n, dim]`` of the column's own dtype, NaN where a row holds no vector.

    Raises:
        StoreError: these are no vectors of this width.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    width = getattr(array.type, "list_size", None)
    if width != dim:
        try:
            array = array.cast(pa.list_(array.type.value_type, dim))
        except (AttributeError, pa.ArrowException):
            raise StoreError(f"vectors of {dim} numbers are wanted, not {array.type}") from None
    values = array.values.slice(array.offset * dim, len(array) * dim)
    matrix: Matrix = values.to_numpy(zero_copy_only=False).reshape(-1, dim)
    if array.null_count:
        matrix = matrix.copy()
        matrix[array.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return matrix


def plain(table: pa.Table) -> pa.Table:
    """Without the vectors, without columns of nothing but nulls, and in types that all can read."""
    fields = [
        pa.field(field.name, _plain_type(field.type))
        for field in table.schema
        if field.name not in EMBEDDINGS and not pa.types.is_null(field.type)
    ]
    return table.select([field.name for field in fields]).cast(pa.schema(fields))


_PLAIN = {
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.binary_view(): pa.binary(),
    pa.float16(): pa.float32(),
}


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    return _PLAIN.get(kind, kind)


def unified(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """One schema for shards of different sources: every column, in a type that holds all of it.

    The standard columns come first. Numbers widen; where types have nothing in common, all
    become text.

    Raises:
        StoreError: a column holds lists or structures here and something else there.

    >>> one = pa.schema([("year", pa.int64())])
    >>> unified([one, pa.schema([("year", pa.string())])]).field("year").type
    DataType(string)
    """
    types: dict[str, pa.DataType] = {}
    for schema in schemas:
        for field in schema:
            if field.name not in STANDARD.names and field.name not in EMBEDDINGS:
                known = types.get(field.name, field.type)
                types[field.name] = _wider(field.name, known, field.type)
    return pa.schema([*STANDARD, *types.items()])


def _wider(name: str, one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other:
        return one
    try:
        schemas = [pa.schema([(name, kind)]) for kind in (one, other)]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        if pa.types.is_nested(one) or pa.types.is_nested(other):
            raise StoreError(
                f"the column {name!r} holds {one} in some rows and {other} in others: rename or "
                "drop it in one of the sources"
            ) from None
        return pa.string()


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly these columns: cast, in this order, null where it has none.

    Raises:
        StoreError: values do not fit their column.
    """
    return pa.table([_cast(table, field) for field in schema], schema=schema)


def _cast(table: pa.Table, field: pa.Field) -> Any:
    if field.name not in table.column_names:
        return pa.nulls(len(table), field.type)
    try:
        return table[field.name].cast(field.type)
    except pa.ArrowException as error:
        raise StoreError(f"the column {field.name!r}: {str(error).splitlines()[0]}") from None
