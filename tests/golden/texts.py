"""Texts that a tokenizer easily gets wrong (texts.json), and random ones of the same kind."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

_GROUPS = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
_PIECES = _GROUPS.pop("pieces of random texts")
HARD = [text for group in _GROUPS.values() for text in group]


def random_texts(count: int, seed: int) -> list[str]:
    """Up to 40 pieces each; always the same for a seed. Surrogates come up, too."""
    chance = random.Random(seed)
    return ["".join(_piece(chance) for _ in range(chance.randrange(40))) for _ in range(count)]


def _piece(chance: random.Random) -> str:
    kind = chance.randrange(10)
    if kind < 4:
        return chance.choice(_PIECES)
    if kind < 6:
        return " "
    if kind < 7:
        return chr(chance.randrange(0x80))
    if kind < 8:
        return chr(chance.randrange(0x3000))
    if kind < 9:
        return chr(chance.randrange(sys.maxunicode + 1))
    return "".join(chance.choices("etaoinshrdlu", k=chance.randrange(1, 12)))
