"""Encoding speed in a process of its own: python encode_once.py CONTENDER FOLDER SECONDS"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from contenders import contender, prepare
from features_once import captions, pixels

IMAGES, TEXTS = 16, 64


def rate(encode: Callable[[], object], items: int, seconds: float) -> float:
    """Items a second, by the fastest of as many calls as fit, the first ones not counted."""
    encode()
    encode()
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        begin = time.perf_counter()
        encode()
        times.append(time.perf_counter() - begin)
    return items / min(times)


def main() -> None:
    name, folder, seconds = sys.argv[1:]
    prepare(name)
    library = contender(name)
    model = library.load(Path(folder), "path")
    images, texts = pixels(IMAGES), captions(TEXTS)
    with torch.no_grad():
        image_rate = rate(lambda: library.encode_image(model, images), IMAGES, float(seconds))
        text_rate = rate(lambda: library.encode_text(model, texts), TEXTS, float(seconds))
    print(json.dumps({"images/s": image_rate, "captions/s": text_rate}))


if __name__ == "__main__":
    main()
