"""Tables that tell of edits, and answers that are kept."""

from __future__ import annotations

import copy
import pickle

import pytest

from clip.memo import Answers, Table

EDITS = {
    "[]=": lambda table: table.__setitem__("a", 2),
    "del": lambda table: table.__delitem__("a"),
    "|=": lambda table: table.__ior__({"b": 2}),
    "clear": lambda table: table.clear(),
    "pop": lambda table: table.pop("a"),
    "popitem": lambda table: table.popitem(),
    "setdefault": lambda table: table.setdefault("b", 2),
    "update": lambda table: table.update(b=2),
}


@pytest.fixture
def table():
    return Table([("a", 1)])


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_every_edit_gives_a_new_edition(table, edit):
    plain, before = {"a": 1}, table.edition
    assert edit(table) == edit(plain)
    assert table == plain
    assert table.edition is not before


def test_reading_leaves_the_edition(table):
    before = table.edition
    assert (table["a"], table.get("b"), "a" in table, [*table.items()]) == (
        1,
        None,
        True,
        [("a", 1)],
    )
    assert table | {"b": 2} == {"a": 1, "b": 2}
    assert table.edition is before


def test_an_update_that_fails_gives_a_new_edition(table):
    before = table.edition
    with pytest.raises(TypeError):
        table.update([("b", 2), 3])
    assert table["b"] == 2
    assert table.edition is not before


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))]
)
def test_copies_are_plain(table, duplicate):
    assert type(duplicate(table)) is dict
    assert duplicate(table) == {"a": 1}


class Counting:
    def __init__(self):
        self.asked = []

    def __call__(self, question):
        self.asked.append(question)
        return question.upper()


@pytest.fixture
def counting():
    return Counting()


def test_a_question_is_passed_on_once(counting):
    answers = Answers(counting, given=())
    assert [answers[question] for question in "aabab"] == ["A", "A", "B", "A", "B"]
    assert counting.asked == ["a", "b"]


def test_long_questions_are_answered_and_not_kept(counting):
    answers = Answers(counting, given=())
    assert answers["x" * 65] == answers["x" * 65] == "X" * 65
    assert len(counting.asked) == 2
    assert not answers


def test_what_is_asked_often_stays(counting, monkeypatch):
    monkeypatch.setattr(Answers, "MOST", 10)
    answers = Answers(counting, given=())
    for i in range(100):
        assert answers["often"] == "OFTEN"
        assert answers[f"once {i}"] == f"ONCE {i}"
    assert counting.asked.count("often") == 1
    assert len(answers) + len(answers.reserve) <= 20


def test_what_was_not_asked_for_long_goes(counting, monkeypatch):
    monkeypatch.setattr(Answers, "MOST", 10)
    answers = Answers(counting, given=())
    for question in ["first", *map(str, range(30)), "first"]:
        answers[question]
    assert counting.asked.count("first") == 2
