"""`make bench`: loading, importing, encoding, tokenising and downloading beside the peers.

    python benchmarks/run.py [--only load|import|encode|tokenize|download] [--rounds N]

Each figure is a median over fresh processes that take turns; equal values are asserted first.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import summary
import tokenizer
from contenders import ARCHIVE
from harness import WORKSHOP, alternate, publish, run, serving

CONTENDERS = ["snaplink", "openai/CLIP", "transformers"]
FOLDER = str(WORKSHOP)
LOADS = {
    "openai/CLIP, by path": ("openai/CLIP", FOLDER, "path"),
    "openai/CLIP, by name": ("openai/CLIP", FOLDER, "name"),
    "transformers, fp16 safetensors": ("transformers", FOLDER, "path"),
    "snaplink, by path": ("snaplink", FOLDER, "path"),
    "snaplink, by name, hashed": ("snaplink", FOLDER, "name, hashed"),
    "snaplink, by name, with receipt": ("snaplink", FOLDER, "name"),
}


def bench_load(rounds: int) -> None:
    results = alternate("load_once.py", LOADS, rounds)
    seconds = results["openai/CLIP, by path"]["seconds"]
    for result in results.values():
        result["x faster"] = seconds / result["seconds"]
    publish(
        "load", "Load ViT-B/32 (a 354 MB archive, in the page cache) to float32 on CPU", results
    )


def bench_import(rounds: int) -> None:
    cases = {name: (name,) for name in CONTENDERS}
    publish("import", "Import, beyond `import torch`", alternate("import_once.py", cases, rounds))


def bench_encode(rounds: int) -> None:
    cases = {name: (name, FOLDER, "5") for name in CONTENDERS}
    results = alternate("encode_once.py", cases, rounds)
    publish("encode", "Encode with ViT-B/32, float32: 16 pictures, 64 captions at once", results)


def bench_download(rounds: int) -> None:
    with serving(WORKSHOP / ARCHIVE) as port:
        cases = {
            "snaplink, SHA-256 included": ("snaplink", port, FOLDER),
            "huggingface_hub": ("huggingface_hub", port, FOLDER),
        }
        results = alternate("download_once.py", cases, rounds)
    publish("download", "Download 354 MB from a server on the same machine", results)


def bench_tokenize(rounds: int) -> None:
    title = f"Tokenise {tokenizer.COUNT:,} ASCII captions on one core, twice"
    publish("tokenize", title, tokenizer.measure_all(rounds))


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


BENCHES: dict[str, Callable[[int], None]] = {
    "load": bench_load,
    "import": bench_import,
    "encode": bench_encode,
    "tokenize": bench_tokenize,
    "download": bench_download,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure beside the peers, equal values first.")
    parser.add_argument("--only", choices=BENCHES, help="one of the benchmarks (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each case (default: 5)")
    arguments = parser.parse_args()
    run("weights.py", "openai/CLIP", FOLDER)
    assert_equal_features()
    for name in [arguments.only] if arguments.only else BENCHES:
        BENCHES[name](arguments.rounds)
    summary.write()


if __name__ == "__main__":
    main()
