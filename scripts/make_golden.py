"""Write tests/golden/: what openai/CLIP's tokenizer and torchvision's transforms answer.

The plain tests compare with these files, so that they need no other implementation. Run it in the
peers' environment (`make peers`):

    .venv-peers/bin/python scripts/make_golden.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
sys.path.insert(0, str(ROOT))

from tests.golden.pictures import MODES, picture  # noqa: E402
from tests.golden.texts import HARD, random_texts  # noqa: E402
from tests.oracles.peer import define_missing_operators  # noqa: E402

SIDE = 8
SIZES = [(13, 10), (8, 8), (1, 21), (31, 2)]


def write_ids() -> None:
    """Ids and decoded text of hard and random texts, by openai/CLIP's own code."""
    from clip.simple_tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer()
    answers = []
    for text in [*HARD, *random_texts(150, seed=0)]:
        ids = tokenizer.encode(text)
        answers.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids)})
    lines = ",\n".join(json.dumps(answer) for answer in answers)
    (GOLDEN / "tokenizer.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def write_tensors() -> None:
    """What openai/CLIP's preprocessing makes of a picture of every mode and odd shape."""
    from clip.clip import _transform

    preprocess = _transform(SIDE)
    tensors = {}
    for mode in MODES:
        for width, height in SIZES:
            try:
                tensor = preprocess(picture(mode, width, height))
            except ValueError:  # PIL knows no way from this mode to RGB
                continue
            tensors[f"{mode} {width}x{height}"] = tensor.numpy()
    np.savez_compressed(GOLDEN / "preprocess.npz", **tensors)


def main() -> None:
    define_missing_operators()
    GOLDEN.mkdir(exist_ok=True)
    write_ids()
    write_tensors()


if __name__ == "__main__":
    main()
