"""The tokenizer: openai/CLIP's ids, tables that may be edited, and speed that never shows."""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip import memo, simple_tokenizer
from clip.simple_tokenizer import SimpleTokenizer, bytes_to_unicode, default_bpe
from clip.token_table import token_table

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "tokenizer.json").read_text(encoding="utf-8")
)
TABLES = ["encoder", "decoder", "bpe_ranks", "byte_encoder", "byte_decoder", "cache"]


class PlainTokenizer(SimpleTokenizer):
    """Without any shortcut: a replaced `bpe` may answer otherwise at every call."""

    def bpe(self, token):
        return super().bpe(token)


@pytest.fixture
def tokenizer():
    return SimpleTokenizer()


@pytest.fixture(scope="module")
def shared():
    return SimpleTokenizer()


@pytest.fixture(scope="module")
def plain():
    return PlainTokenizer()


# -- what openai/CLIP answers ------------------------------------------------------------------


def test_ids_and_text_are_openais(shared):
    answers = [
        {
            "text": case["text"],
            "ids": (ids := shared.encode(case["text"])),
            "decoded": shared.decode(ids),
        }
        for case in GOLDEN
    ]
    assert len(GOLDEN) > 300
    assert [answer for answer, case in zip(answers, GOLDEN, strict=True) if answer != case] == []


def test_ids_are_openais_without_shortcuts(plain):
    assert [case["text"] for case in GOLDEN if plain.encode(case["text"]) != case["ids"]] == []


@given(st.text())
def test_shortcuts_change_nothing(shared, plain, text):
    assert shared.encode(text) == plain.encode(text)


@given(st.lists(st.sampled_from([*"aB3 \t\n\x0b\x1c\x7f&;'<|>", "endoftext", "'ll", "&amp;"])))
def test_shortcuts_change_nothing_in_ascii(shared, plain, pieces):
    text = "".join(pieces)
    assert shared.encode(text) == plain.encode(text)


def test_a_pair_of_surrogates_is_one_character(shared):
    assert shared.encode("\ud83d\ude00") == shared.encode("\U0001f600") != []


def test_one_token_at_a_time(tokenizer):
    assert tokenizer.bpe("photo") == "photo</w>"
    assert tokenizer.bpe("a") == "a</w>"
    assert tokenizer.bpe("<|endoftext|>") == "<|endoftext|>"


def test_words_that_are_a_symbol_end_as_it(tokenizer):
    """Which is known of OpenAI's vocabulary from the start; one read from elsewhere merges."""
    merging = SimpleTokenizer(Path(default_bpe()))
    words = [end.removesuffix("</w>") for end in merging.encoder if end.endswith("</w>")]
    assert len(words) > 30_000
    for word in filter(None, words):
        assert merging.bpe(word) == tokenizer.bpe(word) == word + "</w>"
    for word in filter(str.isascii, words):
        assert merging.encode(word) == tokenizer.encode(word)


def test_pairs_are_joined_from_left_to_right_before_the_next_rank(tmp_path):
    path = tmp_path / "small.txt.gz"
    path.write_bytes(gzip.compress(b"#\na a\nb c\nabc a\na bc\naa aa"))
    tokenizer = SimpleTokenizer(path)
    assert tokenizer.bpe("aaaaax") == "aaaa a x</w>"
    assert tokenizer.bpe("abcabcx") == "abc abc x</w>"  # not abca bc


def test_tables(tokenizer):
    assert len(tokenizer.encoder) == 49_408
    assert len(tokenizer.bpe_ranks) == 48_894
    assert tokenizer.encoder["<|startoftext|>"] == 49_406
    assert tokenizer.encoder["<|endoftext|>"] == 49_407
    assert list(tokenizer.bpe_ranks)[:2] == [("i", "n"), ("t", "h")]
    assert set(tokenizer.byte_encoder) == set(range(256))
    assert all(tokenizer.decoder[id_] == symbol for symbol, id_ in tokenizer.encoder.items())
    assert all(tokenizer.byte_decoder[c] == byte for byte, c in tokenizer.byte_encoder.items())
    assert {"<|startoftext|>", "<|endoftext|>"} <= set(tokenizer.cache)
    assert all(isinstance(getattr(tokenizer, name), dict) for name in TABLES)
    assert json.loads(json.dumps(tokenizer.encoder)) == tokenizer.encoder
    with pytest.raises(AttributeError, match="no attribute 'vocab'"):
        tokenizer.vocab  # noqa: B018


@pytest.mark.parametrize("thing", [None, 5, 1.5, b"bytes", ["a"]])
def test_only_text_is_encoded(tokenizer, thing):
    with pytest.raises(TypeError, match=f"must be a str, not {type(thing).__name__}"):
        tokenizer.encode(thing)


# -- the vocabulary's file ---------------------------------------------------------------------


def test_vocabulary_reads_as_callers_read_it():
    path = Path(default_bpe())
    assert path.name == "bpe_simple_vocab_16e6.txt.gz"
    text = gzip.decompress(path.read_bytes())
    notice = path.with_name("VOCABULARY.md").read_text(encoding="utf-8")
    assert hashlib.sha256(text).hexdigest() in notice
    assert "Copyright (c) 2021 OpenAI" in notice
    merges = text.decode("utf-8").split("\n")[1 : 49152 - 256 - 2 + 1]
    assert len(merges) == 48_894
    assert all(len(merge.split()) == 2 for merge in merges)


def test_the_originals_longer_file_gives_the_same_tables(tokenizer, tmp_path):
    text = gzip.decompress(Path(default_bpe()).read_bytes())
    path = tmp_path / "long.txt.gz"
    path.write_bytes(gzip.compress(text + b"never used\n" * 1000))
    other = SimpleTokenizer(path)
    path.unlink()  # it was read when the tokenizer was made
    for name in TABLES:
        assert list(getattr(other, name).items()) == list(getattr(tokenizer, name).items())


def test_a_small_vocabulary(tmp_path):
    path = tmp_path / "small.txt.gz"
    path.write_bytes(gzip.compress(b"#version: 0.2\nc a\nca t</w>"))
    tokenizer = SimpleTokenizer(str(path))
    assert tokenizer.encode("cat act") == [513, 64, 66, 339]
    assert tokenizer.encoder["<|endoftext|>"] == 515


def test_a_missing_file_is_noticed_at_once(tmp_path):
    with pytest.raises(FileNotFoundError):
        SimpleTokenizer(tmp_path / "missing.txt.gz")


# -- costs -------------------------------------------------------------------------------------


def test_making_one_reads_nothing(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the vocabulary was read")

    monkeypatch.setattr(gzip, "open", refuse)
    tokenizer = SimpleTokenizer()
    with pytest.raises(AssertionError, match="was read"):
        tokenizer.encode("a")


def test_import_needs_no_torch_and_cleans_nothing_yet():
    source = Path(simple_tokenizer.__file__).parent
    code = f"""
import importlib, sys, types
package = sys.modules["clip"] = types.ModuleType("clip")
package.__path__ = [{str(source)!r}]
tokenizer = importlib.import_module("clip.simple_tokenizer").SimpleTokenizer()
assert not {{"torch", "ftfy", "regex"}} & set(sys.modules)
assert tokenizer.encode("a cat") == [320, 2368]
assert not {{"torch", "ftfy"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_kept_is_bounded(tokenizer, monkeypatch):
    monkeypatch.setattr(memo.Answers, "MOST", 50)
    tokenizer.cache["sks"] = "<sks>"  # forget what is known from the start
    del tokenizer.bpe_ranks["jeky", "ll</w>"]
    words = [f"w{i}x" for i in range(200)] + ["y" * 1000]
    once = [tokenizer.encode(word) for word in words]
    assert [tokenizer.encode(word) for word in words] == once
    kept = [value for value in vars(tokenizer).values() if isinstance(value, memo.Answers)]
    assert kept
    for answers in kept:
        assert 0 < len(answers) <= 50
        assert len(answers.reserve) <= 50
        assert all(len(word) < 1000 for word in [*answers, *answers.reserve])
    assert len(tokenizer.cache) < 60


# -- edits -------------------------------------------------------------------------------------

EDITS = {
    "set": lambda table, key, value: table.__setitem__(key, value),
    "update": lambda table, key, value: table.update({key: value}),
    "update by keyword": lambda table, key, value: table.update(**{key: value}),
    "or": lambda table, key, value: table.__ior__({key: value}),
    "pop, then setdefault": lambda table, key, value: (
        table.pop(key),
        table.setdefault(key, value),
    ),
    "delete, then set": lambda table, key, value: (
        table.__delitem__(key),
        table.update({key: value}),
    ),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_an_edit_of_encoder_is_seen(tokenizer, edit):
    assert tokenizer.encode("a cat") == [320, 2368]
    edit(tokenizer.encoder, "cat</w>", 7)
    assert tokenizer.encode("a cat") == [320, 7]
    assert token_table(tokenizer, ["a cat"], 4).tolist() == [[49_406, 320, 7, 49_407]]


def test_a_symbol_that_is_gone_is_missed(tokenizer):
    tokenizer.encode("a cat")
    del tokenizer.encoder["cat</w>"]
    with pytest.raises(KeyError, match="cat</w>"):
        tokenizer.encode("a cat")
    tokenizer.encoder.clear()
    with pytest.raises(KeyError):
        tokenizer.encode("a")


def test_popitem_is_seen(tokenizer):
    assert tokenizer.encode("<|endoftext|>") == [49_407]
    assert tokenizer.encoder.popitem() == ("<|endoftext|>", 49_407)
    with pytest.raises(KeyError):
        tokenizer.encode("<|endoftext|>")


def test_an_update_that_fails_half_way_is_seen(tokenizer):
    assert tokenizer.encode("cat") == [2368]
    with pytest.raises(TypeError):
        tokenizer.encoder.update([("cat</w>", 7), None])
    assert tokenizer.encode("cat") == [7]


def test_an_edit_of_ranks_is_seen(tokenizer):
    assert tokenizer.encode("a cat") == [320, 2368]
    del tokenizer.bpe_ranks["c", "at</w>"]
    assert tokenizer.bpe("cat") != "cat</w>"
    assert len(tokenizer.encode("a cat")) == 3
    tokenizer.bpe_ranks.clear()
    assert tokenizer.encode("cat") == [tokenizer.encoder[symbol] for symbol in ("c", "a", "t</w>")]


def test_an_edit_of_cache_is_seen(tokenizer):
    assert tokenizer.encode("a cat") == [320, 2368]
    tokenizer.cache["cat"] = "dog</w>"
    assert tokenizer.bpe("cat") == "dog</w>"
    assert tokenizer.decode(tokenizer.encode("a cat")) == "a dog "
    del tokenizer.cache["cat"]
    assert tokenizer.encode("a cat") == [320, 2368]


def test_a_special_token_of_ones_own(tokenizer):
    """The usual recipe: a new id, and a cache entry so that it is not cut up."""
    tokenizer.encode("a photo of sks")
    tokenizer.encoder["<sks>"] = 49_408
    tokenizer.cache["sks"] = "<sks>"
    assert tokenizer.encode("a photo of sks")[-1] == 49_408


def test_an_edit_of_byte_encoder_is_seen(tokenizer):
    tokenizer.encode("cat")
    tokenizer.byte_encoder[ord("c")] = "r"
    assert tokenizer.decode(tokenizer.encode("cat")) == "rat "
    assert bytes_to_unicode()[ord("c")] == "c"


def test_an_edit_of_decoder_is_seen(tokenizer):
    tokenizer.decoder[2368] = "dog</w>"
    assert tokenizer.decode([320, 2368]) == "a dog "


def test_instances_share_nothing(tokenizer):
    other = SimpleTokenizer()
    for name in TABLES:
        assert getattr(other, name) is not getattr(tokenizer, name)
    other.encoder["cat</w>"] = 7
    other.bpe_ranks.clear()
    assert tokenizer.encode("a cat") == [320, 2368]


def test_tables_of_a_callers_own_are_used_and_their_edits_seen(tokenizer):
    assert tokenizer.encode("a cat") == [320, 2368]
    for name in ("encoder", "bpe_ranks", "cache", "byte_encoder"):
        setattr(tokenizer, name, dict(getattr(tokenizer, name)))
        assert tokenizer.encode("a cat") == [320, 2368]
    tokenizer.encoder["cat</w>"] = 7
    assert tokenizer.encode("a cat") == [320, 7]
    tokenizer.cache["cat"] = "a</w>"
    assert tokenizer.encode("a cat") == [320, 320]
    tokenizer.cache.clear()
    tokenizer.bpe_ranks.clear()
    assert len(tokenizer.encode("cat")) == 3


def test_a_table_set_before_the_first_use_stays():
    tokenizer = SimpleTokenizer()
    tokenizer.cache = {"cat": "dog</w>"}
    assert tokenizer.decode(tokenizer.encode("a cat")) == "a dog "


@pytest.mark.parametrize("id_", [2**40, "an id", 1.5, None])
def test_ids_need_not_be_small_integers(tokenizer, id_):
    tokenizer.encoder["cat</w>"] = id_
    assert tokenizer.encode("a cat") == [320, id_]


# -- replaced methods and functions ------------------------------------------------------------


def shout(token):
    return "cat</w>"


def test_bpe_replaced_on_an_instance(tokenizer):
    assert tokenizer.encode("a dog") == [320, 1929]
    tokenizer.bpe = shout
    assert tokenizer.encode("a dog") == [2368, 2368]
    assert token_table(tokenizer, ["a dog"], 4).tolist() == [[49_406, 2368, 2368, 49_407]]
    del tokenizer.bpe
    assert tokenizer.encode("a dog") == [320, 1929]


def test_bpe_replaced_on_the_class(tokenizer, monkeypatch):
    assert tokenizer.encode("a dog") == [320, 1929]
    monkeypatch.setattr(SimpleTokenizer, "bpe", lambda self, token: shout(token))
    assert tokenizer.encode("a dog") == [2368, 2368]


def test_bpe_of_a_subclass_is_asked_for_every_token():
    class Counting(SimpleTokenizer):
        asked = 0

        def bpe(self, token):
            self.asked += 1
            return super().bpe(token)

    counting = Counting()
    for _ in range(2):
        assert counting.encode("a cat, a dog") == [320, 2368, 267, 320, 1929]
    assert counting.asked == 10


@pytest.mark.parametrize("where", ["instance", "class", "subclass"])
def test_encode_replaced(tokenizer, monkeypatch, where):
    token_table(tokenizer, ["a cat"])
    if where == "instance":
        tokenizer.encode = lambda text: [len(text)]
    elif where == "class":
        monkeypatch.setattr(SimpleTokenizer, "encode", lambda self, text: [len(text)])
    else:
        tokenizer = type("Own", (SimpleTokenizer,), {"encode": lambda self, text: [len(text)]})()
    assert token_table(tokenizer, ["a cat"], 3).tolist() == [[49_406, 5, 49_407]]


@pytest.mark.parametrize("name", ["basic_clean", "whitespace_clean"])
def test_cleaning_replaced(tokenizer, monkeypatch, name):
    assert tokenizer.encode("a dog") == [320, 1929]
    monkeypatch.setattr(simple_tokenizer, name, lambda text: "a cat")
    assert tokenizer.encode("a dog") == [320, 2368]


def test_pattern_replaced(tokenizer):
    import regex

    tokenizer.encode("a cat")
    tokenizer.pat = regex.compile(r"a c|\w")
    assert tokenizer.encode("a cat") == [64, 220, 322, 320, 339]  # the space is a part of it
    tokenizer.pat = r"\w"
    assert tokenizer.decode(tokenizer.encode("a cat")) == "a c a t "


# -- copies and pickles ------------------------------------------------------------------------


@pytest.mark.parametrize("used", [False, True], ids=["untouched", "used"])
@pytest.mark.parametrize(
    "duplicate",
    [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))],
    ids=["deepcopy", "pickle"],
)
def test_copies_are_whole_and_independent(tokenizer, duplicate, used):
    if used:
        tokenizer.encoder["cat</w>"] = 7
        tokenizer.note = "kept"
    other = duplicate(tokenizer)
    expected = [320, 7 if used else 2368]
    assert other.encode("a cat") == tokenizer.encode("a cat") == expected
    assert vars(other).get("note") == ("kept" if used else None)
    other.encoder["cat</w>"] = 8
    assert other.encode("a cat") == [320, 8]
    assert tokenizer.encode("a cat") == expected
    assert other.pat.findall("it's") == ["it", "'s"]


def test_pickles_hold_plain_dicts(tokenizer):
    assert type(pickle.loads(pickle.dumps(tokenizer.encoder))) is dict
    assert type(copy.deepcopy(tokenizer.cache)) is dict
    assert b"clip.memo" not in pickle.dumps(tokenizer)
    assert set(tokenizer.__getstate__()) == {*TABLES, "pat"}


def test_a_pickle_of_the_originals_class_works(tokenizer):
    state = {name: dict(getattr(tokenizer, name)) for name in TABLES}
    other = SimpleTokenizer.__new__(SimpleTokenizer)
    other.__setstate__({**state, "pat": tokenizer.pat})
    assert other.encode("a cat") == [320, 2368]
    other.bpe_ranks.clear()
    assert len(other.encode("cat")) == 3


# -- threads -----------------------------------------------------------------------------------


@pytest.fixture
def switching():
    """Threads that take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_threads_share_a_tokenizer_from_its_first_use(switching):
    tokenizer = SimpleTokenizer()
    texts = [case["text"] for case in GOLDEN] * 2
    ready = threading.Barrier(6)

    def work(_):
        ready.wait()
        return [tokenizer.encode(text) for text in texts]

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(work, range(6)))
    assert all(result == [case["ids"] for case in GOLDEN] * 2 for result in results)


def test_an_edit_is_seen_while_others_encode(tokenizer, switching):
    """Whoever reads gets the id of before or after; whoever edits sees the edit at once."""
    done = threading.Event()

    def read():
        seen = set()
        while not done.is_set():
            seen.update(tokenizer.encode("a cat")[1:])
        return seen

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            for id_ in range(300):
                tokenizer.encoder["cat</w>"] = id_
                assert tokenizer.encode("a cat") == [320, id_]
        finally:
            done.set()
        assert all(reader.result() <= {2368, *range(300)} for reader in readers)
