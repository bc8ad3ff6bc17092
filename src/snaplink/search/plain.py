"""Which SQL expressions cost no more than a look at each row: those of a stranger may be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from snaplink.errors import ArgumentError

if TYPE_CHECKING:
    import duckdb

__all__ = ["check_plain"]

_LONGEST = 4000
"""Characters of an expression: the parser takes time and stack for each."""

_MOST_STEPS = 1000
"""Characters of a regular expression, each times how often it may be repeated."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_KINDS = _words(
    "BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION OPERATOR TYPE"
)

# Of these none makes more than it was given: DuckDB's limit of memory does not count long strings.
_FUNCTIONS = _words(
    """
    + - * / // % ^ ** & | << >> abs ceil ceiling floor round trunc sign sqrt ln log log2 log10 mod
    pow power greatest least isnan isfinite coalesce nullif ifnull
    lower lcase upper ucase length len strlen trim ltrim rtrim left right substring substr
    contains starts_with ends_with prefix suffix ^@ instr position strpos
    list_contains list_has array_contains array_has list_has_any list_has_all list_value
    array_length array_extract list_extract struct_extract
    year month monthname day dayname hour minute second quarter week weekday dayofweek dayofyear
    isodow date_part datepart date_trunc datetrunc date_diff datediff epoch
    now today current_date get_current_timestamp
    to_years to_months to_weeks to_days to_hours to_minutes to_seconds
    """
)
_LIKE = _words("~~ !~~ ~~* !~~*")
_REGULAR = _words("regexp_matches regexp_full_match regexp_extract")

# Arrays and lists could be made as long as one likes.
_TYPES = _words(
    """
    BOOLEAN BOOL TINYINT SMALLINT INTEGER INT BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT
    FLOAT REAL DOUBLE DECIMAL NUMERIC VARCHAR TEXT STRING DATE TIME TIMESTAMP TIMESTAMPTZ INTERVAL
    """
) | {"TIMESTAMP WITH TIME ZONE"}

_HELP = (
    "compare columns with values, match text (like, ilike, regexp_matches), or use simple "
    "functions of dates and numbers"
)


def check_plain(connection: duckdb.DuckDBPyConnection, expression: str) -> None:
    """Refuse an expression that could cost much more than a look at each row.

    There are to be no subqueries, no functions but those that compare, count and cut, and no
    patterns that take a time which grows faster than the texts: DuckDB is not interrupted before it
    is through with some thousand rows.

    Raises:
        ArgumentError: it could.
        duckdb.Error: it is no expression.
    """
    if len(expression) > _LONGEST:
        raise ArgumentError(
            f"the condition has {len(expression):,} characters; at most {_LONGEST:,} may be"
        )
    for node in _nodes(_parsed(connection, expression)):
        if problem := _problem(node):
            raise ArgumentError(f"{expression!r} {problem}, which conditions may not here: {_HELP}")


def _parsed(connection: duckdb.DuckDBPyConnection, expression: str) -> Any:
    import duckdb

    # DuckDB's own spelling of it: what was parsed as one expression cannot be read otherwise.
    query = f"select {duckdb.SQLExpression(expression)}"
    [(text,)] = connection.execute("select json_serialize_sql(?)", [query]).fetchall()
    try:
        tree = json.loads(text)
    except RecursionError:
        raise ArgumentError(
            "the condition is nested too deeply: write it with fewer brackets"
        ) from None
    if tree["error"] or len(tree["statements"]) != 1:
        raise ArgumentError(f"{expression!r} is no condition on the rows")
    return tree["statements"][0]["node"]["select_list"]


def _problem(node: dict[str, Any]) -> str | None:
    kind = node["class"]
    if kind not in _KINDS:
        return f"has a {kind.lower()}"
    if kind == "CAST" and (name := _type_of(node)).upper() not in _TYPES:
        return f"casts to {name}"
    if kind != "FUNCTION":
        return None
    function = node["function_name"]
    if function in _LIKE:
        return _problem_of_like(_pattern(node))
    if function in _REGULAR:
        return _problem_of_regular(_pattern(node))
    return None if function in _FUNCTIONS else f"uses {function}"


def _problem_of_like(pattern: str | None) -> str | None:
    """Each % within a pattern may cost as many looks as the text has characters."""
    if pattern is None:
        return "matches a pattern that is not written out"
    within = re.sub("%+", "%", pattern).strip("%")
    return "has a pattern with several % inside" if within.count("%") > 1 else None


def _problem_of_regular(pattern: str | None) -> str | None:
    if pattern is None:
        return "matches a regular expression that is not written out"
    counts = (int(count) for count in re.findall(r"(\d{1,9})\}", pattern))
    steps = len(pattern) * math.prod(max(1, count) for count in counts)
    return "has a regular expression of many steps" if steps > _MOST_STEPS else None


def _type_of(cast: dict[str, Any]) -> str:
    """The name of a type, where DuckDB 2 has it, or 1."""
    name: str = cast["type_expr"]["type_name"] if "type_expr" in cast else cast["cast_type"]["id"]
    return name


def _pattern(match: dict[str, Any]) -> str | None:
    """The second argument, if it is a text that is written out; where DuckDB 2 has it, or 1."""
    if "arguments" in match:
        second = match["arguments"][1]["expression"]
        text = second.get("literal", {}).get("text")
    else:
        text = match["children"][1].get("value", {}).get("value")
    return text if isinstance(text, str) else None


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
