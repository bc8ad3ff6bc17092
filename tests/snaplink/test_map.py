"""Maps: places on a plane, and the page that shows them."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from snaplink.errors import ArgumentError
from snaplink.map import map_page, place
from snaplink.vectors import Vectors


def of(matrix: Any, captions: list[str | None] | None = None) -> Any:
    rows = pa.table(
        {
            "key": [f"{number}.png" for number in range(len(matrix))],
            "source": pa.nulls(len(matrix), pa.string()),
            "caption": pa.array(captions or [None] * len(matrix), pa.string()),
        }
    )
    return SimpleNamespace(
        vectors=lambda modality: Vectors.of(matrix),
        path="s.store",
        take=lambda positions, columns: rows.take(pa.array(positions)).select(columns),
    )


def blobs(*sizes: int) -> Any:
    rng = np.random.default_rng(0)
    rows = np.repeat(np.eye(8)[: len(sizes)], sizes, axis=0)
    return (rows + 0.05 * rng.standard_normal(rows.shape)).astype(np.float16)


@pytest.mark.parametrize("method", ["umap", "pca"])
def test_like_pictures_lie_together(method):
    found = place(of(blobs(20, 20)), method=method)
    assert found.places.shape == (40, 2)
    assert found.places.min() == 0
    assert found.places.max() == 1
    one, other = found.places[:20], found.places[20:]
    apart = np.linalg.norm(one.mean(0) - other.mean(0))
    assert apart > 2 * max(one.std(0).max(), other.std(0).max())


@pytest.mark.parametrize("method", ["umap", "pca"])
@pytest.mark.parametrize("count", [3, 5])
def test_a_handful_has_a_map_too(method, count):
    assert np.isfinite(place(of(blobs(count)), method=method).places).all()


def test_of_many_some_are_drawn_and_none_without_a_vector():
    matrix = blobs(50)
    matrix[::2] = np.nan
    found = place(of(matrix), method="pca", most=10)
    assert len(found.positions) == 10
    assert all(position % 2 for position in found.positions)
    assert (np.diff(found.positions) > 0).all()


def test_too_few_pictures():
    with pytest.raises(ArgumentError, match="takes at least 3"):
        place(of(blobs(2)), method="pca")


def test_the_page_holds_names_as_data_and_no_name_ends_its_script():
    evil = "</script><script>alert(1)</script><!--"
    store = of(blobs(4), [evil, None, "$points", "é"])
    page = map_page(store, place(store, method="pca"), title=evil)
    assert page.count("<script>") == page.count("</script>") == 1
    assert "http://" not in page
    assert "https://" not in page
    points = json.loads(re.search(r"^const points = (.*);$", page, re.MULTILINE)[1])
    assert [point["name"] for point in points] == [evil, "1.png", "$points", "é"]
    assert json.loads(re.search(r"^const title = (.*);$", page, re.MULTILINE)[1]) == evil
