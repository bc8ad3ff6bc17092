"""Columns from anywhere become the columns of a store."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from snaplink.errors import StoreError
from snaplink.store.schema import (
    Spelling,
    conform,
    embedding_column,
    matrix_of,
    plain,
    unified,
)

TIME = pa.timestamp("us")


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_matrix_goes_through_a_column_unchanged(dtype: type):
    matrix = np.random.default_rng(0).standard_normal((5, 3)).astype(dtype)
    column = embedding_column(matrix)
    np.testing.assert_array_equal(matrix_of(column, 3), matrix)
    np.testing.assert_array_equal(matrix_of(column[1:4], 3), matrix[1:4])
    chunks = pa.chunked_array([column[:2], column[3:]])
    np.testing.assert_array_equal(matrix_of(chunks, 3), matrix[[0, 1, 3, 4]])


def test_missing_vectors_are_null_and_then_nan():
    matrix = np.ones((3, 2), np.float32)
    column = embedding_column(matrix, missing=np.array([False, True, False]))
    assert column.null_count == 1
    assert np.isnan(matrix_of(column, 2)).any(axis=1).tolist() == [False, True, False]
    assert np.isnan(matrix_of(column[1:], 2)).any(axis=1).tolist() == [True, False]
    assert (matrix == 1).all()


def test_plain_types():
    table = pa.table(
        {
            "large": pa.array(["a"], pa.large_string()),
            "view": pa.array(["a"], pa.string_view()),
            "few": pa.array(["a"]).dictionary_encode(),
            "half": pa.array([0.5], pa.float16()),
            "nothing": pa.nulls(1),
            "tags": [["a", "b"]],
            "image_embedding": [[1.0]],
        }
    )
    assert plain(table).schema == pa.schema(
        [
            ("large", pa.string()),
            ("view", pa.string()),
            ("few", pa.string()),
            ("half", pa.float32()),
            ("tags", pa.list_(pa.string())),
        ]
    )


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.int64(), pa.float64(), pa.float64()),
        (pa.int64(), pa.string(), pa.string()),
        (pa.bool_(), pa.string(), pa.string()),
        (TIME, pa.string(), pa.string()),
        (pa.bool_(), pa.int64(), pa.string()),
    ],
)
def test_a_type_for_both(one: pa.DataType, other: pa.DataType, both: pa.DataType):
    for first, second in ((one, other), (other, one)):
        schema = unified([pa.schema([("x", first)]), pa.schema([("x", second)])])
        assert schema.field("x").type == both
        for kind in (first, second):
            value = {"x": pa.array(["1"]).cast(kind) if kind != TIME else pa.array([1], TIME)}
            assert len(conform(pa.table(value), pa.schema([("x", both)]))) == 1


def test_lists_and_text_have_no_common_type():
    schemas = [pa.schema([("tags", pa.list_(pa.string()))]), pa.schema([("tags", pa.string())])]
    with pytest.raises(StoreError, match=r"'tags' holds list.* in some rows and string in others"):
        unified(schemas)


def test_standard_columns_have_their_own_types():
    schema = unified([pa.schema([("width", pa.float64()), ("more", pa.int8())])])
    assert schema.field("width").type == pa.int32()
    assert schema.names[-1] == "more"
    with pytest.raises(StoreError, match="the column 'width'"):
        conform(pa.table({"width": [0.5]}), schema)


@pytest.mark.parametrize(
    "names", [["Caption", "caption"], ["key", "Key"], ["iso", "ISO"], ["iso", "iso"]]
)
def test_names_that_are_one_in_sql_are_refused_in_one_table(names: list[str]):
    table = pa.table([pa.array(["a"])] * 2, names=names)
    with pytest.raises(StoreError, match=f"'{names[0]}' and '{names[1]}' are one in SQL.*rename"):
        Spelling([]).of(table)


def test_the_first_spelling_of_a_column_counts():
    spelling = Spelling(["Camera", "camera"])
    assert spelling.of(pa.table({"CAMERA": [1], "Lens": [2], "Width": [3]})).column_names == [
        *("Camera", "Lens", "width")
    ]
    assert spelling.of(pa.table({"lens": [1]})).column_names == ["Lens"]
