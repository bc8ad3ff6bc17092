"""Two calls of `clip.tokenize` in a process of its own:

    python tokenize_once.py CONTENDER ids|seconds

The first call meets every word for the first time, and ours reads the vocabulary in it (openai/CLIP
does so at its import); in the second call both know every word.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import sys
import time
from itertools import pairwise
from pathlib import Path

from contenders import prepare

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


def main() -> None:
    name, what = sys.argv[1:]
    measured = measure(name)
    digest = {"ids": measured.pop("ids")}
    print(json.dumps(digest if what == "ids" else measured))


if __name__ == "__main__":
    main()
