"""A folder of 2,000 JPEGs to embeddings on disk: beside what people write, and beside itself."""

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
from harness import ROOT, WORKSHOP, Measurement, alternate, in_turn, publish, python_of, run

PAGE = ROOT / "docs" / "embedding.md"
SCRIPT = str(Path(__file__).with_name("embed_peers.py"))
MODELS = {"tiny": "tiny", "ViT-B/32": str(WORKSHOP / ARCHIVE)}
LOOP = "openai/CLIP, DataLoader"
PEERS = {LOOP: "loop", "clip-retrieval's way": "clip-retrieval"}
OURS = {"snaplink embed": [], "snaplink embed --precision auto": ["--precision", "auto"]}
LEAST_COSINE = 0.998
"""Pictures in bulk differ from the exact steps by 1/255, packed models by their precision."""


def bench(rounds: int, quick: bool) -> None:
    count = 40 if quick else 2000
    photos = WORKSHOP / f"photos-{count}"
    run("photos.py", "openai/CLIP", str(photos), str(count))
    for name, model in MODELS.items():
        slug = name.lower().replace("/", "-")
        cases: dict[str, Callable[[], Measurement]] = {
            **{case: partial(with_peer, way, model, photos) for case, way in PEERS.items()},
            **{case: partial(with_snaplink, model, photos, more) for case, more in OURS.items()},
        }
        results = in_turn(cases, rounds)
        for result in results.values():
            cosine = result.pop("min cosine")
            result["pictures/s"] = count / result["seconds"]
            result["x faster"] = results[LOOP]["seconds"] / result["seconds"]
            result["min cosine"] = cosine
        title = f"{count:,} JPEGs to embeddings on disk with {name}, start-up and all"
        publish(f"embed-{slug}", title, results, page=PAGE)
    rates = {name: ("snaplink", str(photos), model) for name, model in MODELS.items()}
    title = "Decoding alone, encoding alone, and both at once on the same cores, without start-up"
    publish("embed-rates", title, alternate("embed_once.py", rates, rounds), page=PAGE)


def with_peer(way: str, model: str, photos: Path) -> Measurement:
    """The loop's features are what all others are compared with."""
    output = WORKSHOP / f"peer-{way}-{Path(model).stem}"
    shutil.rmtree(output, ignore_errors=True)
    python = python_of("openai/CLIP")
    seconds = timed([python, "-W", "ignore", SCRIPT, way, model, str(photos), str(output)])
    names = np.load(output / "names.npy")
    features = dict(zip(names, np.load(output / "features.npy"), strict=True))
    return {"seconds": seconds, "min cosine": compared(features, model, is_loop=way == "loop")}


def with_snaplink(model: str, photos: Path, options: list[str]) -> Measurement:
    from snaplink.store import Store

    path = WORKSHOP / "embedding.store"
    shutil.rmtree(path, ignore_errors=True)
    command = [sys.executable, "-m", "snaplink", "embed", str(photos), "--out", str(path)]
    seconds = timed([*command, "--model", model, *options])
    store = Store.open(path)
    names = [Path(key).name for key in store.table(columns=["key"])["key"].to_pylist()]
    features = dict(zip(names, store.to_numpy(), strict=True))
    return {"seconds": seconds, "min cosine": compared(features, model)}


def timed(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def compared(features: dict[str, np.ndarray], model: str, *, is_loop: bool = False) -> float:
    """The smallest cosine to the loop's features, picture by picture."""
    kept = WORKSHOP / f"expected-{Path(model).stem}.npz"
    if is_loop:
        np.savez(kept, names=list(features), features=np.stack(list(features.values())))
    with np.load(kept) as expected:
        ours = np.stack([features[name] for name in expected["names"]])
        cosine = least_cosine(ours, expected["features"])
    assert cosine > LEAST_COSINE, f"cosine {cosine}"
    return cosine
