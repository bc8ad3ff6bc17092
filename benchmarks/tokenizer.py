"""`clip.tokenize` of 100,000 ASCII captions beside openai/CLIP's, equal ids first.

    python benchmarks/tokenizer.py [--rounds N]

Each round is a fresh process. The first call meets every word for the first time, and ours reads
the vocabulary in it (openai/CLIP does so at its import); in the second call both know every word.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import time
from itertools import pairwise
from pathlib import Path

from contenders import prepare
from harness import Measurement, alternate, rendered, run

SCRIPT = Path(__file__).name
CONTENDERS = ["openai/CLIP", "snaplink"]
COUNT = 100_000
TEMPLATES = ["a photo of {}", "{}", "A {} next to the {}.", "two {}s, and one {}!", "the {}'s {}"]


def captions(vocabulary: str, count: int) -> list[str]:
    """Captions of 5 to 15 words; a word is the rarer, the later its merge was learnt."""
    chance = random.Random(0)
    lines = gzip.decompress(Path(vocabulary).read_bytes()).decode("utf-8").split("\n")
    ends = ("".join(line.split()) for line in lines[1:48_895] if line.endswith("</w>"))
    words = [end.removesuffix("</w>") for end in ends]
    words = [word for word in words if word.isascii() and word.isalpha()]

    def phrase() -> str:
        places = (int(len(words) * chance.random() ** 4) for _ in range(chance.randint(2, 6)))
        return " ".join(words[place] for place in places)

    return [chance.choice(TEMPLATES).format(phrase(), phrase()) for _ in range(count)]


def measure(name: str) -> dict[str, float | str]:
    """Seconds of the first and the second call, and a digest of the ids."""
    prepare(name)
    import clip
    from clip.simple_tokenizer import default_bpe

    texts = captions(default_bpe(), COUNT)
    assert all(text.isascii() for text in texts)
    times = [time.perf_counter()]
    for _ in range(2):
        ids = clip.tokenize(texts)
        times.append(time.perf_counter())
    first, again = (end - begin for begin, end in pairwise(times))
    digest = hashlib.sha256(ids.int().numpy().tobytes()).hexdigest()
    return {"first, s": first, "again, s": again, "ids": digest}


def assert_equal_ids() -> None:
    digests = {name: run(SCRIPT, name, "ids")["ids"] for name in CONTENDERS}
    assert len(set(digests.values())) == 1, f"the ids differ: {digests}"


def measure_all(rounds: int) -> dict[str, Measurement]:
    """Seconds and ratios by contender."""
    assert_equal_ids()
    results = alternate(SCRIPT, {name: (name, "seconds") for name in CONTENDERS}, rounds)
    theirs = dict(results["openai/CLIP"])
    for result in results.values():
        result["captions/s"] = COUNT / result["again, s"]
        result["x faster, first"] = theirs["first, s"] / result["first, s"]
        result["x faster, again"] = theirs["again, s"] / result["again, s"]
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description="Tokenize beside openai/CLIP, equal ids first.")
    parser.add_argument("contender", nargs="?", choices=CONTENDERS, help="measure one, in here")
    parser.add_argument("what", nargs="?", choices=["ids", "seconds"], default="seconds")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each (default: 5)")
    arguments = parser.parse_args()
    if arguments.contender is None:
        results = measure_all(arguments.rounds)
        print(f"clip.tokenize of {COUNT:,} ASCII captions, one core\n\n{rendered(results)}")
        return
    measured = measure(arguments.contender)
    digest = {"ids": measured.pop("ids")}
    print(json.dumps(digest if arguments.what == "ids" else measured))


if __name__ == "__main__":
    main()
