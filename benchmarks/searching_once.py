"""One way of searching, in a process of its own: `searching_once.py CONTENDER FOLDER NAME`.

What makes an index is timed by itself; what is opened is warm before queries are.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

NEAREST = 10
Search = Callable[[np.ndarray], Any]
"""A unit vector ``[dim]`` to the positions of the ten nearest rows."""


def numpy_exact(matrix: np.ndarray, folder: Path) -> Search:
    """What a user writes: all vectors in memory in float32, which takes twice the store's."""
    rows = matrix.astype(np.float32)

    def search(query: np.ndarray) -> np.ndarray:
        scores = rows @ query
        best = np.argpartition(-scores, NEAREST)[:NEAREST]
        return best[np.argsort(-scores[best])]

    return search


def faiss_flat(matrix: np.ndarray, folder: Path) -> Search:
    import faiss

    index = faiss.IndexFlatIP(matrix.shape[1])
    index.add(matrix.astype(np.float32))
    return lambda query: index.search(query[None], NEAREST)[1][0]


def faiss_hnsw(matrix: np.ndarray, folder: Path) -> Search:
    import faiss

    index = faiss.IndexHNSWFlat(matrix.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = 128, 96
    index.add(matrix.astype(np.float32))
    faiss.omp_set_num_threads(1)
    return lambda query: index.search(query[None], NEAREST)[1][0]


def snaplink_exact(matrix: np.ndarray, folder: Path) -> Search:
    from snaplink.search import Searcher
    from snaplink.store import Store

    searcher = Searcher(Store.open(folder), exact=True)
    return lambda query: searcher.rank(query, NEAREST).positions


def snaplink_rows(matrix: np.ndarray, folder: Path) -> Search:
    """Exact search, and all that the store knows of the hits, as `snaplink search` prints it."""
    from snaplink.search import Searcher
    from snaplink.store import Store

    searcher = Searcher(Store.open(folder), exact=True)
    return lambda query: np.array([hit.position for hit in searcher.search(query, top=NEAREST)])


def snaplink_index(matrix: np.ndarray, folder: Path) -> Search:
    searcher = _indexed(folder)
    return lambda query: searcher.rank(query, NEAREST).positions


def snaplink_index_rows(matrix: np.ndarray, folder: Path) -> Search:
    searcher = _indexed(folder)
    return lambda query: np.array([hit.position for hit in searcher.search(query, top=NEAREST)])


def _indexed(folder: Path) -> Any:
    from snaplink.search import Searcher, build_index
    from snaplink.store import Store

    store = Store.open(folder)
    build_index(store)
    searcher = Searcher(store)
    assert searcher.index("image") is not None
    return searcher


WAYS = {
    "numpy": numpy_exact,
    "faiss flat": faiss_flat,
    "faiss HNSW": faiss_hnsw,
    "snaplink exact": snaplink_exact,
    "snaplink exact, with the rows": snaplink_rows,
    "snaplink index": snaplink_index,
    "snaplink index, with the rows": snaplink_index_rows,
}


def main() -> None:
    contender, folder, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    with np.load(folder / f"{name}.npz") as data:
        matrix, queries, nearest = data["matrix"], data["queries"], data["nearest"]
    started = time.perf_counter()
    search = WAYS[contender](matrix, folder / f"{name}.store")
    built = time.perf_counter() - started
    for query in queries[:20]:
        search(query)
    seconds, right = [], 0
    for query, wanted in zip(queries, nearest, strict=True):
        started = time.perf_counter()
        found = search(query)
        seconds.append(time.perf_counter() - started)
        right += len(set(found.tolist()) & set(wanted.tolist()))
    milliseconds = np.array(seconds) * 1e3
    result = {
        "built or opened in s": built,
        "p50 ms": float(np.percentile(milliseconds, 50)),
        "p99 ms": float(np.percentile(milliseconds, 99)),
        "recall@10": right / nearest.size,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
