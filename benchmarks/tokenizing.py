"""Tokenizing 100,000 captions, equal ids first."""

from __future__ import annotations

from harness import alternate, publish, run
from tokenize_once import COUNT

SCRIPT = "tokenize_once.py"
CONTENDERS = ["openai/CLIP", "snaplink"]


def bench(rounds: int, quick: bool) -> None:
    digests = {name: run(SCRIPT, name, "ids")["ids"] for name in CONTENDERS}
    assert len(set(digests.values())) == 1, f"the ids differ: {digests}"
    results = alternate(SCRIPT, {name: (name, "seconds") for name in CONTENDERS}, rounds)
    theirs = dict(results["openai/CLIP"])
    for result in results.values():
        result["captions/s"] = COUNT / result["again, s"]
        result["x faster, first"] = theirs["first, s"] / result["first, s"]
        result["x faster, again"] = theirs["again, s"] / result["again, s"]
    publish("tokenize", f"Tokenise {COUNT:,} ASCII captions on one core, twice", results)
