"""Labels to classes: by name, by number, one by one; and what cannot be matched."""

from __future__ import annotations

import pytest

from snaplink.errors import ArgumentError
from snaplink.labelled.classes import classes


def test_labels_are_names_and_numbers_come_in_their_order():
    assert classes(["10", "9", "2"], None).names == ("2", "9", "10")
    assert classes(["red__apple", "b"], None).names == ("b", "red apple")


def test_a_list_that_names_all_labels_is_matched_by_name_and_may_hold_more():
    known = classes(["Red_Apple", "cat"], ["cat", "dog", "red apple"])
    assert known.names == ("cat", "dog", "red apple")
    assert known.positions == {"Red_Apple": 2, "cat": 0}


def test_numbers_count_from_zero():
    assert classes(["2", "0"], ["a", "b", "c"]).positions == {"0": 0, "2": 2}
    with pytest.raises(ArgumentError, match="the label 3 is beyond the 3 class names"):
        classes(["3"], ["a", "b", "c"])


def test_as_many_names_as_labels_are_matched_in_order():
    assert classes(["n2", "n1"], ["tench", "shark"]).positions == {"n1": 0, "n2": 1}


def test_a_slip_in_a_list_of_another_order_is_no_list_in_order():
    with pytest.raises(ArgumentError, match="not in the list of 3 class names: 'dog'"):
        classes(["bird", "cat", "dog"], ["dgo", "cat", "bird"])
    assert classes(["bird", "cat"], ["any bird", "cat"]).positions == {"bird": 0, "cat": 1}


def test_a_dictionary_says_it_for_each_label():
    known = classes(["n2"], {"n1": "tench", "n2": ["shark", "big fish"]})
    assert known.synonyms == (("tench",), ("shark", "big fish"))
    assert known.positions["n2"] == 1
    with pytest.raises(ArgumentError, match="no class name is given for 'n3'"):
        classes(["n3"], {"n1": "tench", "n2": "shark"})


@pytest.mark.parametrize(
    ("labels", "given", "message"),
    [
        (["cat", "dog", "eel"], ["cat", "fox"], r"not in the list of 2 class names: 'dog', 'eel'"),
        (["a", "b"], ["Cat", "cat"], "two classes, 1 and 2, are called 'cat'.*rename one"),
        (["a_b", "a b"], None, "two classes"),
        (["cat"], None, "'cat' is the only class.*at least two"),
        (["a", "b"], ["", "x"], "class name 1 of 2 is empty"),
    ],
)
def test_what_cannot_be_matched_says_what_to_do(labels, given, message):
    with pytest.raises(ArgumentError, match=message):
        classes(labels, given)


def test_numbers_without_names_are_no_names():
    with pytest.raises(ArgumentError, match=r"the labels are numbers \('0', '1'\).*--classes"):
        classes(["0", "1"], None, numbers=True)


def test_a_published_list_may_repeat_a_name():
    assert classes(["0", "1"], ["missile", "missile"], published=True).names[1] == "missile"
