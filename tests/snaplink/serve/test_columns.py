"""What columns hold is told as JSON can say it, whatever they hold."""

from __future__ import annotations

import datetime
import decimal
import json

import numpy as np
import pyarrow as pa
import pytest

from snaplink.serve.columns import columns_of, plain_value
from snaplink.serve.standing import Standing

from .stores import add, unit

NOON = datetime.datetime(2020, 1, 2, 12)


def described(path, **columns):
    count = len(next(iter(columns.values())))
    found = columns_of(Standing(add(path, unit(count), **columns)))
    json.dumps(found, allow_nan=False)
    return {column.pop("name"): column for column in found}


def test_values_that_are_few_are_listed_the_most_frequent_first(tmp_path):
    found = described(tmp_path / "s", set=["b", "a", "b", None], iso=[100, 200, 100, 400])
    assert found["set"] == {
        "type": "text",
        "values": [{"value": "b", "count": 2}, {"value": "a", "count": 1}],
        "min": None,
        "max": None,
    }
    assert (found["iso"]["type"], found["iso"]["min"], found["iso"]["max"]) == ("number", 100, 400)
    assert found["iso"]["values"][0] == {"value": 100, "count": 2}


def test_columns_of_files_are_not_offered_and_keys_not_listed(tmp_path):
    found = described(tmp_path / "s", set=["a"])
    assert not {"source", "size", "mtime_ns", "sha256", "image_embedding"} & set(found)
    assert found["key"]["values"] is None


def test_values_that_are_many_or_long_are_not_listed(tmp_path):
    found = described(tmp_path / "s", a=[str(n) for n in range(51)], b=["x" * 201] * 51)
    assert found["a"]["values"] is found["b"]["values"] is None
    assert len(described(tmp_path / "t", a=[str(n) for n in range(50)])["a"]["values"]) == 50


@pytest.mark.parametrize(
    ("values", "kind", "least", "largest", "listed"),
    [
        ([True, False], "boolean", None, None, 2),
        ([1.5, float("nan")], "number", 1.5, 1.5, 1),
        ([float("nan"), None], "number", None, None, 0),
        ([float("inf"), 1.0], "number", 1.0, None, 1),
        ([NOON, None], "time", "2020-01-02T12:00:00", "2020-01-02T12:00:00", 1),
        ([NOON.date()] * 2, "time", "2020-01-02", "2020-01-02", 1),
        (pa.array(["a", "b"], pa.large_string()), "text", None, None, 2),
        ([["a"], ["b"]], "other", None, None, None),
        ([{"a": 1}, None], "other", None, None, None),
        ([b"a", b"b"], "other", None, None, None),
        ([NOON.time(), None], "other", None, None, None),
        ([datetime.timedelta(1), None], "other", None, None, None),
        ([decimal.Decimal("1.5"), None], "number", "1.5", "1.5", 1),
        (pa.array([None, None], pa.int64()), "number", None, None, 0),
        (pa.array(["a", "a"]).dictionary_encode(), None, None, None, None),
    ],
)
def test_every_type(tmp_path, values, kind, least, largest, listed):
    found = described(tmp_path / "s", x=values)["x"]
    if kind is None:
        return
    assert (found["type"], found["min"], found["max"]) == (kind, least, largest)
    assert (None if found["values"] is None else len(found["values"])) == listed


def test_plain_values():
    given = {
        "a": [1, float("nan")],
        2: {"b": np.datetime64("2020-01-01").astype(object)},
        "c": b"12",
    }
    assert plain_value(given) == {"a": [1, None], "2": {"b": "2020-01-01"}, "c": "2 bytes"}
