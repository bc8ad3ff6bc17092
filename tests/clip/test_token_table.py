"""Many texts to one table of ids, equal to those of one text after the other."""

from __future__ import annotations

import numpy as np
import pytest

from clip.errors import TextTooLongError
from clip.simple_tokenizer import SimpleTokenizer
from clip.token_table import token_table


@pytest.fixture
def tokenizer():
    return SimpleTokenizer()


@pytest.fixture(scope="module")
def shared():
    return SimpleTokenizer()


def test_token_table_pads_with_zeros(shared):
    table = token_table(shared, iter(["a cat", "", "caf\u00e9 &amp; bar"]), 8)
    assert table.dtype == np.int32
    assert table.tolist() == [
        [49_406, 320, 2368, 49_407, 0, 0, 0, 0],
        [49_406, 49_407, 0, 0, 0, 0, 0, 0],
        [49_406, 15_304, 261, 2411, 49_407, 0, 0, 0],
    ]
    table[0, 0] = 1  # its own memory, to be written to


def test_token_table_of_nothing(shared):
    assert token_table(shared, []).shape == (0, 77)


def test_token_table_refuses_or_cuts_what_is_too_long(shared):
    texts = ["fits", "a photo of a cat"]
    with pytest.raises(TextTooLongError) as caught:
        token_table(shared, texts, 5)
    message = str(caught.value)
    assert message.startswith("Input a photo of a cat is too long for context length 5")
    assert "text 1 has 7 tokens" in message
    assert "truncate=True" in message
    assert token_table(shared, texts, 5, truncate=True)[1].tolist() == [
        49_406,
        320,
        1125,
        539,
        49_407,
    ]
    assert token_table(shared, texts, 7)[1, -1] == 49_407
    with pytest.raises(TextTooLongError) as caught:
        token_table(shared, ["word " * 10_000])
    assert len(str(caught.value)) < 600


def test_token_table_asks_any_tokenizer():
    class Letters:
        encoder = {"<|startoftext|>": 1, "<|endoftext|>": 2}  # noqa: RUF012

        def encode(self, text):
            return [ord(letter) for letter in text]

    assert token_table(Letters(), ["ab"], 5).tolist() == [[1, 97, 98, 2, 0]]


MIXED = [
    "a cat",
    "NEXT",
    "next",
    "",
    "caf\u00e9",
    "A\x7fB",
    "x &amp; y",
    "-1",
    "\x1c a \x0b b",
    " ",
]


@pytest.mark.parametrize("count", [1, 10, 255, 256, 257, 1000])
def test_tables_of_many_texts_are_those_of_each(shared, count):
    texts = [MIXED[i % len(MIXED)] * (i % 3) + f" w{i}" for i in range(count)]
    expected = np.zeros((count, 20), np.int32)
    for row, text in zip(expected, texts, strict=True):
        ids = [49_406, *shared.encode(text), 49_407]
        row[: len(ids)] = ids
    np.testing.assert_array_equal(token_table(shared, texts, 20), expected)
    cut = np.where(expected[:, [4]] == 0, expected[:, :4], [*[0] * 3, 49_407])
    cut[:, :3] = expected[:, :3]
    np.testing.assert_array_equal(token_table(shared, texts, 4, truncate=True), cut)


def test_a_text_too_long_is_named_by_its_place_among_all(shared):
    texts = ["a"] * 300 + ["a b c d"] + ["a"] * 300
    with pytest.raises(TextTooLongError, match=r"Input a b c d is .* text 300 has 6 tokens"):
        token_table(shared, texts, 5)


@pytest.mark.parametrize("texts", [["a", None], ["\u00e9", b"a"]])
def test_what_is_no_text_is_refused(shared, texts):
    with pytest.raises(TypeError, match=r"a text must be a str, not (NoneType|bytes)"):
        token_table(shared, texts)


def test_ids_below_zero_are_ids(tokenizer):
    tokenizer.encoder["cat</w>"] = -1
    assert token_table(tokenizer, ["a cat", "a"], 4).tolist() == [
        [49_406, 320, -1, 49_407],
        [49_406, 320, 49_407, 0],
    ]


def test_kinds_of_str_of_ones_own_are_asked(tokenizer):
    class Loud(str):
        def lower(self):
            return "a cat"

        def split(self, *separators):
            raise AssertionError

    assert token_table(tokenizer, [Loud("dog"), "dog"], 4).tolist()[1] == [49_406, 1929, 49_407, 0]


def test_edits_and_replacements_are_seen_between_texts(tokenizer):
    def texts():
        yield from ["a cat"] * 256
        tokenizer.encoder["cat</w>"] = 7
        yield from ["a cat"] * 256
        tokenizer.encode = lambda text: [5]
        yield "a cat"

    rows = token_table(tokenizer, texts(), 4).tolist()
    assert rows[0] == [49_406, 320, 2368, 49_407]
    assert rows[256] == [49_406, 320, 7, 49_407]
    assert rows[512] == [49_406, 5, 49_407, 0]
