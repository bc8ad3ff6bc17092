"""Open a large store and search it once: `opening_once.py snaplink STORE`.

Memory is counted without what is mapped from files, which the system may drop at any time.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch  # noqa: F401  # who searches by words has it already

import snaplink.search
from snaplink.store import Store


def own_megabytes() -> float:
    """Resident memory that no file backs."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("no RssAnon in /proc/self/status")


def main() -> None:
    before, started = own_megabytes(), time.perf_counter()
    store = Store.open(sys.argv[2])
    searcher = snaplink.search.Searcher(store, exact=True)
    searcher.vectors("image")
    opened, after_opening = time.perf_counter() - started, own_megabytes()
    query = np.ones(store.dim, np.float32) / np.sqrt(store.dim)
    started = time.perf_counter()
    searcher.search(query)
    first = time.perf_counter() - started
    started = time.perf_counter()
    searcher.search(query)
    again = time.perf_counter() - started
    result = {
        "open s": opened,
        "memory after opening MB": after_opening - before,
        "first search s": first,
        "second search s": again,
        "memory after searching MB": own_megabytes() - before,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
