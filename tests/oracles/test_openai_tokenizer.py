"""The tokenizer beside openai/CLIP's own code, on hard texts and 10,000 random ones.

More of them: FUZZED_TEXTS=100000 FUZZED_SEED=2 pytest tests/oracles/test_openai_tokenizer.py
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from clip.simple_tokenizer import SimpleTokenizer
from clip.token_table import token_table

from ..golden.texts import HARD, random_texts

TABLES = ["encoder", "decoder", "bpe_ranks", "byte_encoder", "byte_decoder"]
CAPTIONS = ["a photo of a cat", "", "Don't &amp; won't: café 🐈!", "x " * 200]

AT_ONCE = 10_000  # a peer has five minutes
ENCODE_AND_DECODE = """
    from clip.simple_tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer()
    outputs["ids"] = [tokenizer.encode(text) for text in inputs["texts"]]
    outputs["decoded"] = [tokenizer.decode(ids) for ids in outputs["ids"]]
"""


@pytest.fixture(scope="module")
def texts():
    seed = int(os.environ.get("FUZZED_SEED", "1"))
    return [*HARD, *random_texts(int(os.environ.get("FUZZED_TEXTS", "10000")), seed)]


@pytest.fixture(scope="module")
def pickled(tmp_path_factory):
    """A tokenizer of ours, used and edited."""
    tokenizer = SimpleTokenizer()
    tokenizer.encode("a photo")
    tokenizer.encoder["cat</w>"] = 7
    path = tmp_path_factory.mktemp("pickle") / "ours.pickle"
    path.write_bytes(pickle.dumps(tokenizer))
    return path


@pytest.fixture(scope="module")
def theirs(peer, pickled):
    return peer(
        """
        import pickle
        from pathlib import Path

        import clip
        from clip.simple_tokenizer import SimpleTokenizer, default_bpe

        tokenizer = SimpleTokenizer()
        for table in inputs["tables"]:
            outputs[table] = [[key, value] for key, value in getattr(tokenizer, table).items()]
        outputs["vocabulary"] = default_bpe()

        path = Path(inputs["pickled"])
        outputs["ids by our pickle"] = pickle.loads(path.read_bytes()).encode("a cat")
        outputs["pickled"] = str(path.with_name("theirs.pickle"))
        Path(outputs["pickled"]).write_bytes(pickle.dumps(tokenizer))

        outputs["table"] = clip.tokenize(inputs["captions"], truncate=True)
        """,
        tables=TABLES,
        captions=CAPTIONS,
        pickled=str(pickled),
    )


def test_ids_and_decoded_text(peer, texts):
    tokenizer = SimpleTokenizer()
    assert len(texts) > len(HARD)
    for first in range(0, len(texts), AT_ONCE):
        some = texts[first : first + AT_ONCE]
        theirs = peer(ENCODE_AND_DECODE, texts=some)
        for text, ids, decoded in zip(some, theirs["ids"], theirs["decoded"], strict=True):
            assert tokenizer.encode(text) == ids, repr(text)
            assert tokenizer.decode(ids) == decoded, ids


def test_table_of_ids(theirs):
    table = token_table(SimpleTokenizer(), CAPTIONS, truncate=True)
    np.testing.assert_array_equal(table, theirs["table"])


@pytest.mark.parametrize("name", TABLES)
def test_tables_and_their_order(theirs, name):
    ours = getattr(SimpleTokenizer(), name).items()
    assert [[list(k) if isinstance(k, tuple) else k, v] for k, v in ours] == theirs[name]


def test_their_vocabulary_file(theirs):
    path = theirs["vocabulary"]
    assert Path(path).stat().st_size > 1_000_000
    assert SimpleTokenizer(path).encoder == SimpleTokenizer().encoder
    assert SimpleTokenizer(path).bpe_ranks == SimpleTokenizer().bpe_ranks


def test_pickles_go_both_ways(theirs):
    assert theirs["ids by our pickle"] == [320, 7]
    tokenizer = pickle.loads(Path(theirs["pickled"]).read_bytes())
    assert type(tokenizer) is SimpleTokenizer
    assert tokenizer.encode("a cat") == [320, 2368]
    tokenizer.encoder["cat</w>"] = 7
    assert tokenizer.encode("a cat") == [320, 7]
