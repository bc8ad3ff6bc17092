"""Text to token ids and back: byte-level BPE (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909)
over cleaned, lower-cased words, with the vocabulary and the names of openai/CLIP.

The tokenizer's tables are there to be read and edited, as callers do. It is fast because it keeps
the ids of every word it has seen, for as long as no table and no function has changed (memo.py).
"""

from __future__ import annotations

import gzip
import html
import os
import re
from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from .memo import Answers, Table

__all__ = [
    "SimpleTokenizer",
    "basic_clean",
    "bytes_to_unicode",
    "default_bpe",
    "get_pairs",
    "whitespace_clean",
]

# With 256 bytes, inside and at the end of a word, and the special tokens they make 49,408 ids.
_MERGES = 48_894
_NEVER = float("inf")
_SPECIAL_TOKENS = ("<|startoftext|>", "<|endoftext|>")
_PATTERN = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


@lru_cache
def default_bpe() -> str:
    """Path of the vocabulary: gzip, UTF-8, a header line, then a merge a line.

    >>> Path(default_bpe()).name
    'bpe_simple_vocab_16e6.txt.gz'
    """
    return str(Path(__file__).resolve().parent / "data" / "bpe_simple_vocab_16e6.txt.gz")


@lru_cache
def bytes_to_unicode() -> dict[int, str]:
    """A printable character for each of the 256 bytes, so that merges can be written as text.

    Bytes that are printable in Latin-1 stand for themselves and come first; the others borrow
    the characters from U+0100 on. The order is that of the vocabulary's first ids.

    >>> bytes_to_unicode()[ord("A")], bytes_to_unicode()[ord(" ")]
    ('A', 'Ġ')
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = sorted(set(range(256)) - set(printable))
    borrowed = {byte: chr(256 + n) for n, byte in enumerate(others)}
    return {byte: chr(byte) for byte in printable} | borrowed


def get_pairs(word: Sequence[str]) -> set[tuple[str, str]]:
    """The pairs of neighbours in a word, given as a sequence of symbols.

    >>> sorted(get_pairs(("c", "a", "t</w>")))
    [('a', 't</w>'), ('c', 'a')]
    """
    return set(pairwise(word))


def basic_clean(text: str) -> str:
    """Mend mis-decoded text with ftfy and resolve HTML entities, twice over.

    >>> basic_clean("&amp;lt;b&amp;gt; caf\\u00c3\\u00a9 ")
    '<b> café'
    """
    import ftfy  # not above: a cold start costs a quarter of a second

    if not isinstance(text, str):
        raise TypeError(f"a text must be a str, not {type(text).__name__}: {text!r:.80}")
    return html.unescape(html.unescape(ftfy.fix_text(text))).strip()


def whitespace_clean(text: str) -> str:
    """Make every run of white space one space, and leave none at the ends.

    >>> whitespace_clean(" a\\n\\tcat ")
    'a cat'
    """
    import regex  # not `re`, which takes U+001C to U+001F for white space

    return str(regex.sub(r"\s+", " ", text)).strip()


_our_cleaners = (basic_clean, whitespace_clean)
# What basic_clean changes in ASCII: control characters and HTML entities.
_needs_cleaning = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f&]").search


def _words(text: str) -> list[str]:
    """A text cleaned, in lower case, and cut at white space, which no token spans."""
    clean = type(text) is str and text.isascii() and not _needs_cleaning(text)
    if clean and (basic_clean, whitespace_clean) == _our_cleaners:
        return text.lower().split()
    return whitespace_clean(basic_clean(text)).lower().split(" ")


def _words_and_marks(texts: Sequence[str]) -> list[str]:
    """The words of all texts, with `_NEXT` after those of each."""
    if set(map(type, texts)) == {str} and (basic_clean, whitespace_clean) == _our_cleaners:
        joined = f" {_NEXT} ".join(map(str.lower, texts))
        if joined.isascii() and not _needs_cleaning(joined):
            return f"{joined} {_NEXT}".split()
    return [word for text in texts for word in (*_words(text), _NEXT)]


def _pack(ids: Iterable[int]) -> bytes:
    return array("i", ids).tobytes()


_NEXT = "NEXT"  # no word in a lower-cased text
_MARK = _pack([-1])  # what it becomes among the ids


@lru_cache
def _pattern() -> Any:
    import regex

    return regex.compile(_PATTERN, regex.IGNORECASE)


# The same for lower-cased ASCII, several times faster.
_ascii_tokens = re.compile(
    _PATTERN.replace(r"\p{L}", "a-z").replace(r"\p{N}", "0-9"), re.ASCII
).findall


def _attributes(bpe_path: str | os.PathLike[str]) -> dict[str, Any]:
    """The attributes of a tokenizer with the vocabulary of a file."""
    with gzip.open(bpe_path) as file:
        lines = file.read().decode("utf-8").split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 1 + _MERGES]]
    symbols = bytes_to_unicode().values()
    ends = [symbol + "</w>" for symbol in symbols]
    vocabulary = [*symbols, *ends, *map("".join, merges), *_SPECIAL_TOKENS]
    encoder = Table(zip(vocabulary, range(len(vocabulary)), strict=True))
    return {
        "encoder": encoder,
        "decoder": {id_: symbol for symbol, id_ in encoder.items()},
        "bpe_ranks": Table(zip(merges, range(len(merges)), strict=True)),
        "byte_encoder": Table(bytes_to_unicode().items()),
        "byte_decoder": {symbol: byte for byte, symbol in bytes_to_unicode().items()},
        "cache": Table(zip(_SPECIAL_TOKENS, _SPECIAL_TOKENS, strict=True)),
        "pat": _pattern(),
    }


class SimpleTokenizer:
    """CLIP's tokenizer. It costs nothing until it is first used, and threads may share it.

    Every instance has tables of its own. An edit of a table, and a replaced method, counts from
    the next call on.

    Args:
        bpe_path: a vocabulary in the form of `default_bpe()`; OpenAI's file of 262,144 merges is
            accepted too. A file other than the default is read at once.

    Attributes:
        encoder: id by symbol, 49,408 of them; the last two are the special tokens.
        decoder: symbol by id.
        bpe_ranks: rank by pair of symbols; the lowest is merged first.
        byte_encoder: character by byte, see `bytes_to_unicode`.
        byte_decoder: byte by character.
        cache: what `bpe` answers without merging: the special tokens, and what callers add.
        pat: the compiled pattern that finds the tokens in a cleaned, lower-cased text.

    >>> tokenizer = SimpleTokenizer()
    >>> tokenizer.encode("A photo of a cat.")
    [320, 1125, 539, 320, 2368, 269]
    >>> tokenizer.decode([320, 1125, 539, 320, 2368, 269])
    'a photo of a cat . '
    """

    encoder: dict[str, int]
    decoder: dict[int, str]
    bpe_ranks: dict[tuple[str, ...], int]
    byte_encoder: dict[int, str]
    byte_decoder: dict[str, int]
    cache: dict[str, str]
    pat: Any

    _ids: Answers[bytes] | None = None
    _merges: Answers[str] | None = None

    def __init__(self, bpe_path: str | os.PathLike[str] = default_bpe()) -> None:  # noqa: B008
        self._bpe_path = bpe_path
        if bpe_path != default_bpe():
            self._read()  # the file may be gone by the first use

    def __getattr__(self, name: str) -> Any:
        if name not in _ATTRIBUTES:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self._read()
        return self.__dict__[name]

    def _read(self) -> None:
        """Fill in the attributes that nobody has set. Of two threads that do, the first wins."""
        attributes = _attributes(self._bpe_path)
        if self._bpe_path == default_bpe():
            attributes["_ids"] = self._whole_words(attributes)
        for name, value in attributes.items():
            self.__dict__.setdefault(name, value)

    def _whole_words(self, tables: dict[str, Any]) -> Answers[bytes]:
        """What is known of words that are one symbol of OpenAI's vocabulary: they end as it."""
        packed = _pack(tables["encoder"].values())
        size = len(packed) // len(tables["encoder"])
        words = {
            word: packed[i * size : (i + 1) * size]
            for i, symbol in enumerate(tables["encoder"])
            if symbol[-1] == ">" and (word := symbol[:-4]).isalpha() and word.isascii()
        }
        return self._answers(tuple(tables[name].edition for name in _TABLES), words)

    def bpe(self, token: str) -> str:
        """Merge a token, written in the characters of `byte_encoder`, as far as the ranks go.

        >>> SimpleTokenizer().bpe("unphotogenic")
        'un photogenic</w>'
        """
        cached = self.cache.get(token)
        if cached is not None:
            return cached
        if type(self.bpe_ranks) is not Table:
            return self._merge(token)
        given = (self.bpe_ranks.edition,)
        answers = self._merges
        if answers is None or answers.given != given:
            answers = self._merges = Answers(self._merge, given)
        return answers[token]

    def _merge(self, token: str) -> str:
        """Join the neighbours with the lowest rank, wherever they stand, until none has a rank."""
        rank = self.bpe_ranks.get
        word = [*token[:-1], token[-1] + "</w>"]
        ranks = [rank(pair, _NEVER) for pair in pairwise(word)]
        while (lowest := min(ranks, default=_NEVER)) < _NEVER:
            while lowest in ranks:
                i = ranks.index(lowest)
                word[i : i + 2] = [word[i] + word[i + 1]]
                del ranks[i]
                if i > 0:
                    ranks[i - 1] = rank((word[i - 1], word[i]), _NEVER)
                if i < len(ranks):
                    ranks[i] = rank((word[i], word[i + 1]), _NEVER)
        return " ".join(word)

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without start and end token.

        The text is cleaned (`basic_clean`, `whitespace_clean`) and lower-cased. Special tokens
        are recognised in it, in any case.

        Raises:
            TypeError: when `text` is no str.
        """
        known = self._known_words()
        try:
            if known is not None:
                return array("i", b"".join(map(known.__getitem__, _words(text)))).tolist()
        except (TypeError, OverflowError):  # an id that a caller put in is no 32-bit integer
            pass
        return self._encode_plainly(" ".join(_words(text)))

    def marked_ids(self, texts: Sequence[str]) -> bytes | None:
        """The ids of all texts in a row, as native int32, with -1 after those of each.

        Returns:
            None if a replaced part may answer otherwise than before at every call.
        """
        known = self._known_words()
        if known is None or getattr(self.encode, "__func__", None) is not _our_encode:
            return None
        return b"".join(map(known.__getitem__, _words_and_marks(texts)))

    def _known_words(self) -> Answers[bytes] | None:
        """Packed ids by word; None if a replaced part may answer otherwise at every call."""
        if getattr(self.bpe, "__func__", None) is not _our_bpe or self.pat is not _pattern():
            return None
        try:
            given = (
                self.bpe_ranks.edition,  # type: ignore[attr-defined]  # a caller's own has none
                self.encoder.edition,  # type: ignore[attr-defined]
                self.byte_encoder.edition,  # type: ignore[attr-defined]
                self.cache.edition,  # type: ignore[attr-defined]
            )
        except AttributeError:
            return None
        answers = self._ids
        if answers is None or answers.given != given:
            answers = self._ids = self._answers(given, {})
        return answers

    def _answers(self, given: tuple[object, ...], known: dict[str, bytes]) -> Answers[bytes]:
        def packed(word: str) -> bytes:
            if word == _NEXT:
                return _MARK
            tokens = _ascii_tokens(word) if word.isascii() else _pattern().findall(word)
            if tokens == [word]:
                return _pack(self._ids_of_token(word))
            return b"".join(map(answers.__getitem__, tokens))

        answers = Answers(packed, given, known)
        return answers

    def _encode_plainly(self, text: str) -> list[int]:
        pattern = self.pat
        if isinstance(pattern, str):
            import regex

            pattern = regex.compile(pattern)
        return [id_ for token in pattern.findall(text) for id_ in self._ids_of_token(token)]

    def _ids_of_token(self, token: str) -> list[int]:
        characters = map(self.byte_encoder.__getitem__, token.encode("utf-8"))
        symbols = self.bpe("".join(characters)).split(" ")
        return [self.encoder[symbol] for symbol in symbols]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of ids, a space after each word; bytes that are no UTF-8 become U+FFFD."""
        symbols = "".join([self.decoder[token] for token in tokens])
        text = bytes([self.byte_decoder[symbol] for symbol in symbols])
        return text.decode("utf-8", errors="replace").replace("</w>", " ")

    def __getstate__(self) -> dict[str, Any]:
        """What the original's instances hold, so that each side can read the other's pickles."""
        state = self.__dict__ | {name: getattr(self, name) for name in _ATTRIBUTES}
        return {name: value for name, value in state.items() if name not in _PRIVATE}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if name in _TABLES and type(value) is dict:
                value = Table(value.items())
            elif name == "pat" and getattr(value, "pattern", None) == _PATTERN:
                value = _pattern()
            self.__dict__[name] = value


_TABLES = ("bpe_ranks", "encoder", "byte_encoder", "cache")
_ATTRIBUTES = (*_TABLES, "decoder", "byte_decoder", "pat")
_PRIVATE = ("_bpe_path", "_ids", "_merges")
_our_bpe = SimpleTokenizer.bpe
_our_encode = SimpleTokenizer.encode
