"""Encoding speed in a process of its own: python encode_once.py ENGINE FOLDER ARCHIVE SECONDS

Features are compared before time is taken. An engine that cannot run here gives nulls.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from contenders import RESNET_ARCHIVE, prepare
from engines import ENGINES, Encode, Engine, MissingEngineError
from exports import reference_file
from inputs import captions, pixels
from machine import peak_megabytes

BATCHES = (1, 16, 64)
LEAST_COSINE = {"fp32": 0.99999, "bf16": 0.999, "int8": 0.99}
"""What is below computes something else, and its speed says nothing."""

UNITS = {"image": "images/s", "text": "captions/s"}


def quantities() -> list[str]:
    speeds = [f"{unit}, {batch}" for unit in UNITS.values() for batch in BATCHES]
    return [*speeds, *(f"{kind} cosine" for kind in UNITS), "peak MB"]


def fastest(encode: Callable[[], object], seconds: float) -> float:
    """Seconds of the fastest of as many calls as fit."""
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        encode()
        times.append(time.perf_counter() - begin)
    return min(times)


def least_cosine(found: np.ndarray, expected: np.ndarray) -> float:
    found, expected = found.astype("f8"), expected.astype("f8")
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    return float(((found * expected).sum(axis=1) / lengths).min())


def measure(engine: Engine, folder: Path, archive: str, seconds: float) -> dict[str, float | None]:
    towers = engine.build(folder, archive)
    found: dict[str, float | None] = dict.fromkeys(quantities())
    inputs = {"image": pixels(BATCHES[-1]), "text": captions(BATCHES[-1])}
    with np.load(reference_file(folder, archive)) as expected:
        for kind, unit in UNITS.items():
            if kind == "text" and archive == RESNET_ARCHIVE:
                continue  # the same tower as the ViT's
            encode: Encode = getattr(towers, kind)
            cosines = []
            for batch in BATCHES:
                several = inputs[kind][:batch]
                cosines.append(least_cosine(encode(several), expected[kind][:batch]))
                least = LEAST_COSINE[engine.precision]
                assert cosines[-1] > least, f"{kind} features: cosine {cosines[-1]}"
                if not (engine.compiles and batch == 1):
                    taken = fastest(lambda e=encode, s=several: e(s), seconds)
                    found[f"{unit}, {batch}"] = batch / taken
            found[f"{kind} cosine"] = min(cosines)
    found["peak MB"] = peak_megabytes()
    return found


def main() -> None:
    name, folder, archive, seconds = sys.argv[1:]
    prepare(name)
    try:
        print(json.dumps(measure(ENGINES[name], Path(folder), archive, float(seconds))))
    except MissingEngineError as reason:
        print(f"\n{name}: {reason}", file=sys.stderr)
        print(json.dumps(dict.fromkeys(quantities())))


if __name__ == "__main__":
    main()
