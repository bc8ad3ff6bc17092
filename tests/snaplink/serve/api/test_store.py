"""What the store is, as clients are told."""

from __future__ import annotations

import json

import pytest

from snaplink.store import Store


def test_the_store_and_its_columns(shown):
    answer = shown.client.get("/v1/store")
    json.loads(answer.text, parse_constant=pytest.fail)
    facts = answer.json()
    columns = {column.pop("name"): column for column in facts.pop("columns")}
    assert facts == {
        "name": "s.store",
        "rows": 11,
        "model": "fake",
        "dim": 16,
        "modalities": ["image"],
        "snapshot": Store.open(shown.store).snapshot,
        "demo": False,
        "indexed": False,
    }
    assert list(columns) == ["key", "width", "height", "caption", "set", "score"]
    assert columns["width"]["min"] == 100
    assert columns["set"]["values"] == [{"value": "a", "count": 6}, {"value": "b", "count": 5}]
    assert columns["score"]["values"] == [{"value": 0.5, "count": 10}]


def test_without_a_store_the_example_pictures(client):
    facts = client.get("/v1/store").json()
    assert (facts["name"], facts["demo"]) == ("example pictures", True)
    assert 0 < facts["rows"] <= 396
    assert {"caption", "set"} <= {column["name"] for column in facts["columns"]}
