"""Many texts at once to the table of ids that the text tower reads."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import TextTooLongError

__all__ = ["token_table"]

Ids = npt.NDArray[np.int32]
Places = npt.NDArray[np.intp]

_AT_ONCE = 256  # one text that needs cleaning slows down only so many others


def token_table(
    tokenizer: Any, texts: Iterable[str], context_length: int = 77, truncate: bool = False
) -> Ids:
    """The ids of many texts, one a row: start token, ids, end token, then zeros.

    Args:
        tokenizer: anything with the `encoder` and `encode` of `SimpleTokenizer`.
        texts: the texts.
        context_length: width of the table.
        truncate: cut what is too long, and keep its end token.

    Returns:
        int32 [number of texts, context_length], in memory of its own.

    Raises:
        TextTooLongError: a text has more than `context_length` tokens and `truncate` is false.

    >>> from clip.simple_tokenizer import SimpleTokenizer
    >>> token_table(SimpleTokenizer(), ["a cat", "diagram"], context_length=5)
    array([[49406,   320,  2368, 49407,     0],
           [49406, 22697, 49407,     0,     0]], dtype=int32)
    """
    waiting, read, tables = iter(texts), 0, [np.zeros((0, context_length), np.int32)]
    while some := list(islice(waiting, _AT_ONCE)):
        ids, ends = _ids_and_ends(tokenizer, some)
        lengths = np.diff(ends, prepend=-1) + 1  # the start token comes on top
        if not truncate and lengths.max() > context_length:
            i = int((lengths > context_length).argmax())
            raise TextTooLongError(_too_long(some[i], read + i, lengths[i], context_length))
        tables.append(_table(tokenizer, ids, ends, context_length))
        read += len(some)
    return np.concatenate(tables)


def _ids_and_ends(tokenizer: Any, texts: Sequence[str]) -> tuple[Ids, Places]:
    """The ids of all texts in a row, and where in it each text's end token belongs."""
    marked = tokenizer.marked_ids(texts) if hasattr(tokenizer, "marked_ids") else None
    if marked is not None:
        ids = np.frombuffer(marked, np.int32)
        ends = np.flatnonzero(ids == -1)
        if len(ends) == len(texts):  # else a caller has put in an id of -1
            return ids, ends
    rows = [[*tokenizer.encode(text), -1] for text in texts]
    ids = np.frombuffer(b"".join(array("i", row).tobytes() for row in rows), np.int32)
    return ids, np.cumsum([len(row) for row in rows]) - 1


def _table(tokenizer: Any, ids: Ids, ends: Places, width: int) -> Ids:
    start, end = array(
        "i", map(tokenizer.encoder.__getitem__, ("<|startoftext|>", "<|endoftext|>"))
    )
    lengths = np.diff(ends, prepend=-1)
    columns = np.arange(1, len(ids) + 1) - np.repeat(ends + 1 - lengths, lengths)
    places = columns + np.repeat(np.arange(len(ends)) * width, lengths)
    ids = ids.copy()
    ids[ends] = end
    if lengths.max() >= width:
        ids, places = ids[columns < width], places[columns < width]
    table = np.zeros((len(ends), width), np.int32)
    table[:, 0] = start
    table.reshape(-1)[places] = ids
    table[lengths >= width, -1] = end
    return table


def _too_long(text: str, index: int, length: int, context_length: int) -> str:
    shown = text if len(text) <= 300 else f"{text[:300]}…"
    return (
        f"Input {shown} is too long for context length {context_length}: text {index} has "
        f"{length} tokens, start and end included. Shorten it, or pass truncate=True."
    )
