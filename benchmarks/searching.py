"""Search beside numpy and faiss: exact and by an index; and a large store, opened."""

from __future__ import annotations

from harness import ROOT, WORKSHOP, alternate, publish, run

PAGE = ROOT / "docs" / "search.md"
FOLDER = WORKSHOP / "vectors"

EXACT = ("numpy", "faiss flat", "snaplink exact", "snaplink exact, with the rows")
CONTENDERS = (*EXACT, "faiss HNSW", "snaplink index", "snaplink index, with the rows")
KINDS = {"clustered": "vectors in clusters, as CLIP's are", "uniform": "uniform noise"}


def bench(rounds: int, quick: bool) -> None:
    """One query at a time, the ten nearest of 100,000 vectors of 512 numbers (float16)."""
    rows = 5_000 if quick else 100_000
    for kind, said in KINDS.items():
        run("vectors.py", "snaplink", str(FOLDER), str(rows), kind)
        cases = {name: (name, str(FOLDER), f"{kind}-{rows}") for name in CONTENDERS}
        results = alternate("searching_once.py", cases, rounds)
        for name in EXACT:  # float32's rounding may swap the tenth and the eleventh
            recall = results[name]["recall@10"]
            assert recall > 0.999, f"{name} found {recall:.4f} of the nearest"
        publish(
            f"search-{kind}",
            f"Search {rows:,} x 512 for the ten nearest, one query at a time: {said}",
            results,
            packages=["faiss-cpu", "numpy"],
            page=PAGE,
        )


def bench_open(rounds: int, quick: bool) -> None:
    """A store of a million rows, opened by a new process."""
    rows = 20_000 if quick else 1_000_000
    run("vectors.py", "snaplink", str(FOLDER), str(rows), "clustered")
    store = str(FOLDER / f"clustered-{rows}.store")
    results = alternate("opening_once.py", {"snaplink": ("snaplink", store)}, rounds)
    publish("open", f"Open a store of {rows:,} x 512 and search it exactly", results, page=PAGE)
