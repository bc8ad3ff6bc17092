"""Seconds and memory of a load, and seconds of an import."""

from __future__ import annotations

import numpy as np
from harness import WORKSHOP, alternate, publish, run

FOLDER = str(WORKSHOP)
LOADS = {
    "openai/CLIP, by path": ("openai/CLIP", FOLDER, "path"),
    "openai/CLIP, by name": ("openai/CLIP", FOLDER, "name"),
    "transformers, fp16 safetensors": ("transformers", FOLDER, "path"),
    "snaplink, by path": ("snaplink", FOLDER, "path"),
    "snaplink, by name, hashed": ("snaplink", FOLDER, "name, hashed"),
    "snaplink, by name, with receipt": ("snaplink", FOLDER, "name"),
}
IMPORTS = ["snaplink", "openai/CLIP", "transformers"]


def bench(rounds: int, quick: bool) -> None:
    assert_equal_features()
    results = alternate("load_once.py", LOADS, rounds)
    seconds = results["openai/CLIP, by path"]["seconds"]
    for result in results.values():
        result["x faster"] = seconds / result["seconds"]
    publish(
        "load", "Load ViT-B/32 (a 354 MB archive, in the page cache) to float32 on CPU", results
    )


def bench_import(rounds: int, quick: bool) -> None:
    cases = {name: (name,) for name in IMPORTS}
    publish("import", "Import, beyond `import torch`", alternate("import_once.py", cases, rounds))


def assert_equal_features() -> None:
    """Every way to load gives the same features as openai/CLIP, to float32's rounding."""
    expected = _features("openai/CLIP", "path")
    for contender, _, how in LOADS.values():
        for kind, features in _features(contender, how).items():
            error = np.abs(features - expected[kind]).max() / np.abs(expected[kind]).max()
            # transformers' file is fp16 throughout: its layer norms and embeddings are rounded.
            limit = 2e-3 if contender == "transformers" else 1e-5
            assert error < limit, f"{contender}, by {how}: {kind} features differ by {error:.1e}"


def _features(contender: str, how: str) -> dict[str, np.ndarray]:
    output = WORKSHOP / "features.npz"
    run("features_once.py", contender, FOLDER, how, str(output))
    with np.load(output) as arrays:
        return dict(arrays)
