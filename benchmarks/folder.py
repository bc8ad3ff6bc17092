"""End to end: a folder of 1,000 JPEGs to a file of features, interpreters' start included."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from contenders import ARCHIVE
from encode_once import least_cosine
from harness import WORKSHOP, Measurement, in_turn, publish, python_of, run

STORE = WORKSHOP / "photos.store"
SCRIPT = str(Path(__file__).with_name("openai_folder.py"))
LEAST_COSINE = 0.998
"""Pictures in bulk differ from the exact steps by 1/255, packed models by their precision."""

OURS = {"snaplink embed": [], "snaplink embed --precision auto": ["--precision", "auto"]}


def bench(rounds: int, quick: bool) -> None:
    count = 40 if quick else 1000
    photos, one = (WORKSHOP / f"photos-{number}" for number in (count, 1))
    for folder in (photos, one):
        run("photos.py", "openai/CLIP", str(folder), folder.name.removeprefix("photos-"))
    for options in OURS.values():  # "auto" measures this processor once, and remembers
        embed(one, options)
    cases: dict[str, Callable[[], Measurement]] = {
        "openai/CLIP, DataLoader": partial(with_openai, photos),
        **{name: partial(with_snaplink, photos, options) for name, options in OURS.items()},
    }
    results = in_turn(cases, rounds)
    seconds = results["openai/CLIP, DataLoader"]["seconds"]
    for result in results.values():
        result["pictures/s"] = count / result["seconds"]
        result["x faster"] = seconds / result["seconds"]
        result["min cosine"] = result.pop("min cosine")
    title = f"A folder of {count:,} JPEGs to features on disk, ViT-B/32, start-up and all"
    publish("folder", title, results)


def with_openai(photos: Path) -> Measurement:
    """The script that everybody writes; its features are what ours are compared with."""
    command = [python_of("openai/CLIP"), "-W", "ignore", SCRIPT, str(WORKSHOP / ARCHIVE)]
    seconds = timed([*command, str(photos), str(expected_file(photos))])
    return {"seconds": seconds, "min cosine": 1.0}


def with_snaplink(photos: Path, options: list[str]) -> Measurement:
    seconds = embed(photos, options)
    return {"seconds": seconds, "min cosine": compared(STORE, expected_file(photos))}


def embed(photos: Path, options: list[str]) -> float:
    """Seconds of a whole `snaplink embed`."""
    shutil.rmtree(STORE, ignore_errors=True)
    command = [sys.executable, "-m", "snaplink", "embed", str(photos), "--out", str(STORE)]
    return timed([*command, "--model", str(WORKSHOP / ARCHIVE), "--raw", *options])


def timed(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def expected_file(photos: Path) -> Path:
    return photos.with_suffix(".npz")


def compared(path: Path, expected: Path) -> float:
    """The smallest cosine between a store's features and openai/CLIP's, picture by picture."""
    from snaplink.store import Store

    store = Store.open(path)
    names = [Path(key).name for key in store.table(columns=["key"])["key"].to_pylist()]
    features = dict(zip(names, store.to_numpy().astype("f4"), strict=True))
    with np.load(expected) as theirs:
        ours = np.stack([features[name] for name in theirs["names"]])
        cosine = least_cosine(ours, theirs["features"])
    assert cosine > LEAST_COSINE, f"features of {path}: cosine {cosine}"
    return cosine
