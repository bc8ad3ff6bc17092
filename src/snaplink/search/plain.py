"""Which SQL expressions cost no more than a look at each row: those of a stranger may be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from snaplink.errors import ArgumentError

if TYPE_CHECKING:
    import duckdb

__all__ = ["check_plain"]

_LONGEST = 4000
"""Characters of an expression: the parser takes time and stack for each."""

_KINDS = frozenset(
    "BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION OPERATOR TYPE".split()
)

# Of these none makes more than it was given: DuckDB's limit of memory does not count long strings.
_FUNCTIONS = frozenset(
    """
    ~~ !~~ ~~* !~~* ~~~ like_escape not_like_escape ilike_escape not_ilike_escape ^@
    + - * / // % & | << >> abs ceil ceiling floor round trunc sign sqrt ln log log2 log10 mod pow
    power greatest least isnan isfinite coalesce nullif
    lower lcase upper ucase length len strlen trim ltrim rtrim left right substring substr
    contains starts_with ends_with prefix suffix instr position strpos
    regexp_matches regexp_full_match regexp_extract levenshtein jaccard
    list_contains list_has array_contains array_has list_value array_length array_extract
    list_extract struct_extract
    year month day hour minute second quarter week weekday dayofweek dayofyear isodow date_part
    datepart date_trunc datetrunc date_diff datediff now today current_date get_current_timestamp
    to_years to_months to_weeks to_days to_hours to_minutes to_seconds epoch
    """.split()
)


def check_plain(connection: duckdb.DuckDBPyConnection, expression: str) -> None:
    """Refuse an expression that could cost much more than a look at each row.

    There are to be no subqueries, and no functions but those that compare, count and cut.

    Raises:
        ArgumentError: it could.
        duckdb.Error: it is no expression.
    """
    import duckdb

    if len(expression) > _LONGEST:
        raise ArgumentError(f"the condition has {len(expression):,} characters; {_LONGEST:,} may be")
    # DuckDB's own spelling of it: what was parsed as one expression cannot be read otherwise.
    query = f"select {duckdb.SQLExpression(expression)}"
    row = connection.execute("select json_serialize_sql(?)", [query]).fetchone()
    tree = json.loads(row[0]) if row else {}
    if tree.get("error") or len(tree.get("statements", ())) != 1:
        raise ArgumentError(f"{expression!r} is no condition on the rows")
    for node in _nodes(tree["statements"][0]["node"]["select_list"]):
        kind, function = node["class"], node.get("function_name", "")
        if kind == "FUNCTION" and function not in _FUNCTIONS:
            raise ArgumentError(
                f"{expression!r} uses {function}, which conditions may not here: compare columns, "
                "match text (like, ilike, regexp_matches), or use simple functions of dates and "
                "numbers"
            )
        if kind not in _KINDS:
            raise ArgumentError(
                f"{expression!r} has a {kind.lower()}, which conditions may not here: compare "
                "columns with values"
            )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every node of an expression. Not by recursion: it may be deep."""
    waiting = [tree]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            if "class" in here:
                yield here
            waiting += here.values()
        elif isinstance(here, list):
            waiting += here
