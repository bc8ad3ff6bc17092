"""Tokens: `tokenize`, `SimpleTokenizer`, its tables and the vocabulary file."""

from __future__ import annotations

import copy
import gzip
import pickle
from pathlib import Path

# ruff: noqa: RUF001
TEXTS = [
    "a photo of a cat", "", " ", "It's  the\n\tdog's 3rd birthday!!", "A DIAGRAM",
    "don't we'll they've I'm you'd", "naïve café — “quotes”…", "日本語のテキスト",
    "emoji 😀👍🏽👩‍👩‍👧", "1234567890 3.14", "&lt;b&gt;bold&amp;amp;&lt;/b&gt;",
    "<|startoftext|>inside<|endoftext|>", "e\u0301 combining \u0345", "x" * 60,
    "\u00a0non\u00a0breaking\u200b", "supercalifragilisticexpialidocious",
    "__init__(self, *args)", "ﬁ ﬂ ligatures Ⅷ ½", "ðŸ˜€ mojibake cafÃ©",
    "\x00\x07 controls \ud7ff", "#@$%^&*()[]{}", "ß ẞ İ ı ſ",
    "кириллица ελληνικά עברית العربية", "'s 't 'LL 'Ve", "a\u2028b\u2029c",
]  # fmt: skip


def tokenize(clip, kit):
    """One string, lists, tuples and generators; shapes, padding and hard texts."""
    return {
        "one": clip.tokenize("a cat").long(),
        "many": clip.tokenize(TEXTS).long(),
        "tuple": clip.tokenize(("a", "b")).long(),
        "generator": clip.tokenize(word for word in ("a", "b c")).long(),
        "none": clip.tokenize([]).long(),
        "short": clip.tokenize(["a b c"], context_length=5).long(),
        "long": clip.tokenize(["a b c"], 120).long(),
        "shape": list(clip.tokenize(TEXTS).shape),
    }


def too_long(clip, kit):
    """What does not fit raises RuntimeError, or is cut with the end token kept."""
    text = "word " * 90
    refusals = []
    for arguments in (
        {"texts": text},
        {"texts": ["ok", text]},
        {"texts": "a b", "context_length": 3},
    ):
        try:
            clip.tokenize(**arguments)
        except RuntimeError as error:
            shown = arguments["texts"] if isinstance(arguments["texts"], str) else text
            length = arguments.get("context_length", 77)
            refusals.append(
                [
                    str(error).startswith(f"Input {shown[:100]}"),
                    f"too long for context length {length}" in str(error),
                ]
            )
    return {
        "refusals": refusals,
        "cut": clip.tokenize([text, "a"], truncate=True).long(),
        "cut short": clip.tokenize("a b c d", 4, True).long(),
        "exact": clip.tokenize("a b", 4).long(),
    }


def simple_tokenizer(clip, kit):
    """`encode`, `decode` and `bpe` of an instance, and the sizes of its tables."""
    tokenizer = clip.simple_tokenizer.SimpleTokenizer()
    ids = [tokenizer.encode(text) for text in TEXTS]
    return {
        "ids": ids,
        "plain": [type(ids[0]).__name__, type(ids[0][0]).__name__],
        "decoded": [tokenizer.decode(row) for row in ids],
        "decoded odd": [
            tokenizer.decode(row) for row in ([], [49406, 320, 49407], [127, 200], (320,))
        ],
        "bpe": [tokenizer.bpe(word) for word in ("hello", "a", "zzzz", "<|startoftext|>", "dogs")],
        "sizes": [
            len(getattr(tokenizer, name))
            for name in ("encoder", "decoder", "bpe_ranks", "byte_encoder", "byte_decoder")
        ],
        "special": [
            tokenizer.encoder[name] for name in ("<|startoftext|>", "<|endoftext|>", "a</w>")
        ],
        "decoder": [tokenizer.decoder[key] for key in (0, 255, 256, 511, 512, 49405, 49407)],
        "ranks": [tokenizer.bpe_ranks[pair] for pair in (("i", "n"), ("t", "h"))],
        "order": list(tokenizer.encoder)[:600:50],
        "dicts": [
            isinstance(getattr(tokenizer, name), dict)
            for name in ("encoder", "decoder", "bpe_ranks", "cache")
        ],
        "pattern": [
            tokenizer.pat.pattern,
            tokenizer.pat.flags,
            tokenizer.pat.findall("it's 12 ok?"),
        ],
        "fresh cache": sorted(clip.simple_tokenizer.SimpleTokenizer().cache),
    }


def helper_functions(clip, kit):
    """The module's functions, called on their own."""
    module = clip.simple_tokenizer
    table = module.bytes_to_unicode()
    return {
        "bytes": [[key, table[key]] for key in sorted(table)][::17],
        "order": list(table)[:5] + list(table)[-5:],
        "count": len(table),
        "pairs": sorted(module.get_pairs(("h", "e", "l", "l", "o</w>"))),
        "one": sorted(module.get_pairs(("a",))),
        "clean": [module.basic_clean(text) for text in TEXTS],
        "white": [module.whitespace_clean(text) for text in (" a  b\n", "", "\t\u3000x")],
    }


def edits_are_seen(clip, kit):
    """An edit of a table or method counts from the next call on, after the word was seen too."""
    tokenizer = clip.simple_tokenizer.SimpleTokenizer()
    results = {"before": tokenizer.encode("hello hello world")}
    tokenizer.encoder["hello</w>"] = 50000
    results["encoder"] = tokenizer.encode("hello world")
    tokenizer.cache["world"] = "w or ld</w>"
    tokenizer.encoder["or"] = 50001
    results["cache"] = tokenizer.encode("hello world")
    tokenizer.cache.clear()
    del tokenizer.bpe_ranks[("wor", "ld</w>")]
    results["ranks"] = [tokenizer.encode("world"), tokenizer.bpe("world")]
    tokenizer.bpe_ranks = {}
    tokenizer.cache = {}
    results["no ranks"] = tokenizer.encode("cat")
    tokenizer.bpe = lambda token: " ".join([*token[:-1], token[-1] + "</w>"])
    results["bpe"] = tokenizer.encode("dog")
    tokenizer.encode = lambda text: [1, 2, 3]
    results["encode"] = tokenizer.encode("dog")
    tokenizer.decoder[1] = "one</w>"
    results["decoder"] = tokenizer.decode([1])
    return results


def the_global_tokenizer_edited(clip, kit):
    """New words put into the tokenizer that `clip.tokenize` uses, and taken out again."""
    tokenizer = clip.clip._tokenizer
    before = clip.tokenize("a zqxj dog").long()
    tokenizer.encoder["zqxj</w>"] = 49408
    tokenizer.cache["zqxj"] = "zqxj</w>"
    try:
        during = clip.tokenize("a zqxj dog").long()
    finally:
        del tokenizer.encoder["zqxj</w>"], tokenizer.cache["zqxj"]
    return {"before": before, "during": during, "after": clip.tokenize("a zqxj dog").long()}


def instances_share_nothing(clip, kit):
    """An edit in one tokenizer stays in it."""
    one, two = (clip.simple_tokenizer.SimpleTokenizer() for _ in range(2))
    one.encoder["cat</w>"] = 7
    one.bpe_ranks.clear()
    one.cache.clear()
    return {
        "other": two.encode("a cat"),
        "third": clip.simple_tokenizer.SimpleTokenizer().encode("cat"),
    }


def subclassed(clip, kit):
    """Subclasses that add tokens in `__init__` or change `encode`."""

    class Wider(clip.simple_tokenizer.SimpleTokenizer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.encoder["<mask>"] = len(self.encoder)
            self.decoder = {value: key for key, value in self.encoder.items()}
            self.vocab_size = len(self.encoder)

        def encode(self, text):
            return [*super().encode(text), self.encoder["<mask>"]]

    tokenizer = Wider()
    ids = tokenizer.encode("a cat")
    return {"ids": ids, "size": tokenizer.vocab_size, "decoded": tokenizer.decode(ids)}


def vocabulary_file(clip, kit):
    """`default_bpe()` read by the caller's own code, and given to `SimpleTokenizer`."""
    path = clip.simple_tokenizer.default_bpe()
    with gzip.open(path) as file:
        lines = file.read().decode("utf-8").split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    tokenizer = clip.simple_tokenizer.SimpleTokenizer(path)
    named = clip.simple_tokenizer.SimpleTokenizer(bpe_path=path)
    return {
        "name": Path(path).name,
        "count": len(merges),
        "merges": [" ".join(merge) for merge in merges[::400]],
        "pairs": {len(merge) for merge in merges} == {2},
        "ranks": dict(zip(merges, range(len(merges)), strict=True)) == tokenizer.bpe_ranks,
        "ids": tokenizer.encode("a photo") + named.encode("of cats"),
    }


def own_vocabulary_file(clip, kit):
    """A merge file of the caller's: a header and few merges."""
    path = kit.folder / "merges.txt.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"#version: 0.2\nc a\nca t</w>\nd o")
    tokenizer = clip.simple_tokenizer.SimpleTokenizer(str(path))
    return {
        "ids": tokenizer.encode("cat dog ca"),
        "size": len(tokenizer.encoder),
        "end": tokenizer.encoder["<|endoftext|>"],
        "decoded": tokenizer.decode(tokenizer.encode("cat dog")),
    }


def copied_and_pickled(clip, kit):
    """Tokenizers are copied and sent to workers, with their edits."""
    tokenizer = clip.simple_tokenizer.SimpleTokenizer()
    tokenizer.encoder["cat</w>"] = 9
    clones = copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))
    return {"ids": [clone.encode("a cat sat") for clone in clones]}


def decode_between_tokens(clip, kit):
    """GPT-style decoding loops: ids one by one, ids of a tensor row, words of relevance maps."""
    tokenizer = clip.clip._tokenizer
    row = clip.tokenize("two dogs in the rain")[0]
    end = int(row.argmax())
    return {
        "one by one": [tokenizer.decode([int(i)]) for i in row[1:end]],
        "row": tokenizer.decode(row[1:end].tolist()),
        "items": [tokenizer.decoder[i.item()] for i in row[: end + 1]],
    }
