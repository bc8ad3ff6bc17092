"""Features of fixed inputs, to compare: python features_once.py CONTENDER FOLDER HOW OUTPUT"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from contenders import contender, prepare


def pixels(count: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((count, 3, 224, 224), "f4"))


def captions(count: int) -> torch.Tensor:
    """Token ids of captions of 8 to 15 tokens, as `clip.tokenize` gives them."""
    random = np.random.default_rng(1)
    tokens = np.zeros((count, 77), dtype=np.int32)
    for row in tokens:
        length = random.integers(8, 16)
        row[:length] = [49406, *random.integers(320, 40000, length - 2), 49407]
    return torch.from_numpy(tokens)


def main() -> None:
    name, folder, how, output = sys.argv[1:]
    prepare(name)
    library = contender(name)
    model = library.load(Path(folder), how)
    with torch.no_grad():
        image = library.encode_image(model, pixels(4))
        text = library.encode_text(model, captions(8))
    np.savez(output, image=image.numpy(), text=text.numpy())
    print(json.dumps({}))


if __name__ == "__main__":
    main()
