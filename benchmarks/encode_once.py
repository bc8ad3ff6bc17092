"""Encoding speed in a process of its own:

    python encode_once.py ENGINE FOLDER ARCHIVE SECONDS 1,16,64

Features are compared, too. An engine that cannot run here gives nulls.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from contenders import RESNET_ARCHIVE, prepare
from engines import ENGINES, Encode, Engine, MissingEngineError
from exports import reference_file
from inputs import captions, pixels
from machine import peak_megabytes

if TYPE_CHECKING:
    from torch import Tensor

BATCHES = (1, 16, 64)
"""The columns of the tables; a run may be told to measure fewer."""

LEAST_COSINE = {"fp32": 0.99999, "bf16": 0.999, "int8": 0.99}
"""What is below computes something else, and its speed says nothing."""

COMPARED = {"image": 16, "text": 64}
"""The batches of ratios, and the only ones for engines that compile anew for every shape."""

UNITS = {"image": "images/s", "text": "captions/s"}


def quantities() -> list[str]:
    speeds = [f"{unit}, {batch}" for unit in UNITS.values() for batch in BATCHES]
    return [*speeds, *(f"{kind} cosine" for kind in UNITS), "peak MB"]


def timed(encode: Encode, inputs: Tensor, seconds: float) -> tuple[np.ndarray, float]:
    """Features, and the seconds of the fastest of as many calls as fit."""
    features = encode(inputs)  # not counted: it allocates, or compiles for this shape
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        encode(inputs)
        times.append(time.perf_counter() - begin)
    return features, min(times)


def least_cosine(found: np.ndarray, expected: np.ndarray) -> float:
    found, expected = found.astype("f8"), expected.astype("f8")
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    return float(((found * expected).sum(axis=1) / lengths).min())


def measure(
    engine: Engine, folder: Path, archive: str, seconds: float, batches: list[int]
) -> dict[str, float | None]:
    towers = engine.build(folder, archive)
    found: dict[str, float | None] = dict.fromkeys(quantities())
    largest = max(*batches, *COMPARED.values())
    inputs = {"image": pixels(largest), "text": captions(largest)}
    if archive == RESNET_ARCHIVE:
        del inputs["text"]  # the same tower as the ViT's
    with np.load(reference_file(folder, archive)) as expected:
        for kind, several in inputs.items():
            cosines = []
            for batch in [COMPARED[kind]] if engine.compiles else batches:
                features, taken = timed(getattr(towers, kind), several[:batch], seconds)
                cosines.append(least_cosine(features, expected[kind][:batch]))
                found[f"{UNITS[kind]}, {batch}"] = batch / taken
            least = min(cosines)
            assert least > LEAST_COSINE[engine.precision], f"{kind} features: cosine {least}"
            found[f"{kind} cosine"] = least
    return {**found, "peak MB": peak_megabytes()}


def main() -> None:
    name, folder, archive, seconds, batches = sys.argv[1:]
    prepare(name)
    try:
        sizes = [int(size) for size in batches.split(",")]
        found = measure(ENGINES[name], Path(folder), archive, float(seconds), sizes)
    except MissingEngineError as reason:
        print(f"\n{name}: {reason}", file=sys.stderr)
        found = dict.fromkeys(quantities())
    print(json.dumps(found))


if __name__ == "__main__":
    main()
