"""Good files with random damage: each loads, or is refused; nothing else may happen."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

MUTATIONS = 200
"""For each kind of file and each seed; `--fuzz-seconds` goes on for as long as one likes."""

Mutate = Callable[[bytearray, random.Random, list[bytes]], bytearray]


def flip_bits(content: bytearray, chance: random.Random, others: list[bytes]) -> bytearray:
    for _ in range(chance.choice((1, 1, 1, 2, 5, 50))):
        content[_place(content, chance)] ^= 1 << chance.randrange(8)
    return content


def set_bytes(content: bytearray, chance: random.Random, others: list[bytes]) -> bytearray:
    for _ in range(chance.choice((1, 1, 2, 8))):
        content[_place(content, chance)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, *b".(]}Rbhq\x85"))
    return content


def truncate(content: bytearray, chance: random.Random, others: list[bytes]) -> bytearray:
    return content[: _place(content, chance)]


def cut_out(content: bytearray, chance: random.Random, others: list[bytes]) -> bytearray:
    at = _place(content, chance)
    del content[at : at + chance.choice((1, 2, 8, 64, 1000))]
    return content


def repeat(content: bytearray, chance: random.Random, others: list[bytes]) -> bytearray:
    at = _place(content, chance)
    piece = content[at : at + chance.choice((1, 2, 8, 64, 1000))]
    content[at:at] = piece * chance.choice((1, 2, 100))
    return content


def splice(content: bytearray, chance: random.Random, others: list[bytes]) -> bytearray:
    """A piece of another file over this one's bytes, or between them."""
    other = bytearray(chance.choice(others))
    start, at = _place(other, chance), _place(content, chance)
    piece = other[start : start + chance.choice((4, 32, 500, 5000))]
    content[at : at + chance.choice((0, len(piece)))] = piece
    return content


def swap(content: bytearray, chance: random.Random, others: list[bytes]) -> bytearray:
    length = chance.choice((1, 4, 8, 100))
    one, two = sorted((_place(content, chance), _place(content, chance)))
    if two - one >= length:
        first, second = content[one : one + length], content[two : two + length]
        content[one : one + length], content[two : two + length] = second, first
    return content


def large_number(content: bytearray, chance: random.Random, others: list[bytes]) -> bytearray:
    at = _place(content, chance)
    value = chance.choice((2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1, 10**6))
    content[at : at + 8] = (value % 2**64).to_bytes(8, chance.choice(("little", "big")))
    return content


KINDS: list[Mutate] = [
    *(flip_bits, set_bytes, truncate, cut_out, repeat, splice, swap, large_number),
]


def _place(content: bytearray, chance: random.Random) -> int:
    """Anywhere, but as a rule near a file's ends, where its structure is rather than weights."""
    size = len(content)
    near = min(size, chance.choice((64, 1000, 12_000)))
    return chance.choice(
        (chance.randrange(near), size - 1 - chance.randrange(near), chance.randrange(size))
    )


def _mutated(chance: random.Random, content: bytes, others: list[bytes]) -> bytes:
    spoilt = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        if spoilt:
            spoilt = chance.choice(KINDS)(spoilt, chance, others)
    return bytes(spoilt)


def _one(guard, kit, name: str, chance: random.Random) -> str:
    """Damage a good file, load it, and say what became of it."""
    others = list(kit.good.values())
    if name in ARCHIVES and chance.random() < 0.5:
        # Behind the checksums: damage that whoever writes the file can hide from them.
        pickled = kit.pickle_in(name)
        spoilt = kit.repacked(name, _mutated(chance, pickled, [pickled]))
        must_be_right = False
    else:
        spoilt = _mutated(chance, kit.good[name], others)
        must_be_right = name in ARCHIVES
    try:
        verdict = guard.load(spoilt)
        assert verdict.seconds < 30
        if verdict.outcome == "loaded" and must_be_right:
            assert verdict.digest == kit.digest
    except BaseException:
        guard.keep(spoilt, f"mutated-{name}.pt")
        raise
    return verdict.outcome


ARCHIVES = ("TorchScript", "zip", "whole module", "protocol 5")
FORMATS = (*ARCHIVES, "legacy", "whole module, legacy", "safetensors")


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_refused_or_load(guard, kit, name: str) -> None:
    chance = random.Random(f"seed of {name}")
    outcomes = {_one(guard, kit, name, chance) for _ in range(MUTATIONS)}
    assert outcomes == {"refused", "loaded"}


def test_fuzz(guard, kit, request) -> None:
    seconds = request.config.getoption("--fuzz-seconds", 0)
    if not seconds:
        pytest.skip("only with --fuzz-seconds")
    seed = time.time_ns()
    chance = random.Random(seed)
    outcomes = {"refused": 0, "loaded": 0}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        outcomes[_one(guard, kit, chance.choice(FORMATS), chance)] += 1
    print(f"seed {seed}: {outcomes}")
