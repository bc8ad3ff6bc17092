"""Conditions on rows: what they select, and what they cannot do."""

from __future__ import annotations

import numpy as np
import pytest

from snaplink.errors import ArgumentError
from snaplink.search import rows_where


@pytest.fixture
def store(stored, drawn):
    return stored(
        drawn(5),
        caption=["a cat", "A Cat and a dog", "it's", None, "x"],
        width=[10, 20, 30, 40, None],
        **{'say "when"': [1, 2, 3, 4, 5], "tags": [["a"], ["a", "b"], [], None, ["c"]]},
    )


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("width > 15 and width < 40", [1, 2]),
        ("WIDTH >= 40", [3]),
        ("caption ilike '%cat%'", [0, 1]),
        ("caption = 'it''s'", [2]),
        ("caption is null", [3]),
        ('"say ""when""" = 5', [4]),
        ("list_contains(tags, 'a')", [0, 1]),
        ("width > (20 + 5) or key = '0000.png'", [0, 2, 3]),
        ("true -- a comment", [0, 1, 2, 3, 4]),
        ("false", []),
        ("width between 10 and 20", [0, 1]),
        ("regexp_matches(key, '000[34]')", [3, 4]),
    ],
)
def test_rows_for_which_it_holds(store, expression, rows):
    assert np.flatnonzero(rows_where(store, expression)).tolist() == rows


@pytest.mark.parametrize(
    "expression",
    [
        "width > 1; drop table x",
        "1=1) union select 1 --",
        "(select count(*) from read_csv('{file}')) > 0",
        "(select count(*) from read_text('{file}')) > 0",
        "exists(select * from '{file}')",
        "(select count(*) from store) > 0",
        "copy (select 1) to '{file}'",
        "attach '{file}'",
        "install httpfs",
        "set enable_external_access=true",
        "pragma database_list",
        "sum(width) > 1",
        "row_number() over () > 1",
        "width > 1, width < 3",
        "widht > 1",
        "width foo",
        "width between",
        'width > 1 as "wide"',
        "wide: width > 1",
        "width >",
        "caption > 3 and",
        "",
        " ",
    ],
)
def test_anything_but_a_condition_on_the_rows_is_refused(store, tmp_path, expression):
    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    with pytest.raises(ArgumentError, match="The columns are key, source, width") as caught:
        rows_where(store, expression.format(file=file))
    assert file.read_text() == "a\n1\n"
    assert "\n" not in str(caught.value)


def test_columns_of_vectors_are_not_offered(store):
    with pytest.raises(ArgumentError) as caught:
        rows_where(store, "image_embedding[1] > 0")
    assert "image_embedding" not in str(caught.value).split("The columns are")[1]
