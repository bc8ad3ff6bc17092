"""Answers kept for as long as nothing that they depend on has changed.

    table = Table({"a": 1}.items())
    answers = Answers(slow_function_of_the_table, given=(table.edition,))

An answer is good while `answers.given` is what the caller finds now: any edit of the table gives
it another edition. Nothing is locked. An edit changes the table first and the edition after, so an
answer that another thread found meanwhile is dropped with the old edition, never kept for the new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, TypeVar, cast

__all__ = ["Answers", "Table"]

Key = TypeVar("Key")
Value = TypeVar("Value")
Method = TypeVar("Method", bound=Callable[..., Any])


def _edit(method: Method) -> Method:
    @wraps(method)
    def edit(table: Table[Any, Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return method(table, *args, **kwargs)
        finally:  # even an update that fails may have changed something
            table.edition = object()

    return cast(Method, edit)


class Table(dict[Key, Value]):
    """A dict with a new `edition` after every edit. Its copies and pickles are plain dicts.

    >>> table = Table([("a", 1)])
    >>> before = table.edition
    >>> table["b"] = 2
    >>> table.edition is before
    False
    """

    __slots__ = ("edition",)

    edition: object

    def __init__(self, items: Iterable[tuple[Key, Value]]) -> None:
        super().__init__(items)
        self.edition = object()

    __setitem__ = _edit(dict.__setitem__)
    __delitem__ = _edit(dict.__delitem__)
    __ior__ = _edit(dict.__ior__)
    clear = _edit(dict.clear)
    pop = _edit(dict.pop)
    popitem = _edit(dict.popitem)
    setdefault = _edit(dict.setdefault)
    update = _edit(dict.update)

    def __reduce__(self) -> tuple[type[dict[Key, Value]], tuple[dict[Key, Value]]]:
        return dict, (dict(self),)


class Answers(dict[str, Value]):
    """What a function answered to the questions asked last, short ones only.

    It fills up to `MOST` answers, then starts anew and keeps the full dict in reserve: what is
    asked again comes back from there, and the rest goes at the next start.

    Args:
        answer: the function.
        given: everything its answers depend on, to be compared by the caller.
        known: answers known beforehand.

    >>> answers = Answers(str.upper, given=())
    >>> answers["cat"], dict(answers)
    ('CAT', {'cat': 'CAT'})
    """

    MOST = 131_072
    LONGEST = 64

    def __init__(
        self,
        answer: Callable[[str], Value],
        given: tuple[object, ...],
        known: Mapping[str, Value] = MappingProxyType({}),
    ) -> None:
        super().__init__(known)
        self.answer = answer
        self.given = given
        self.reserve: Mapping[str, Value] = {}

    def __missing__(self, question: str) -> Value:
        known = self.reserve.get(question)
        value = self.answer(question) if known is None else known
        if len(question) <= self.LONGEST:
            if len(self) >= self.MOST:
                self.reserve = dict(self)
                self.clear()
            self[question] = value
        return value
