"""Vectors that lie as CLIP's do, and stores of them, kept in the workshop.

    python benchmarks/vectors.py snaplink FOLDER ROWS KIND

KIND is "clustered" (some 2,000 groups of uneven sizes, in few dimensions, all on one side of the
sphere: the mean cosine of two is about 0.5) or "uniform" (noise, the hardest there is for a graph).
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

DIM = 512
QUERIES = 1000
NEAREST = 10
_AT_ONCE = 50_000


def draws(rows: int, kind: str, seed: int) -> Iterator[np.ndarray]:
    """Unit vectors, float16 ``[at most 50,000, 512]`` at once."""
    centres_from, rng = np.random.default_rng(0), np.random.default_rng(seed)
    basis = centres_from.standard_normal((64, DIM)) / 8
    centres = centres_from.standard_normal((2000, 64)) @ basis + 1.2
    shares = 1 / np.arange(1, 2001) ** 0.7
    for start in range(0, rows, _AT_ONCE):
        count = min(_AT_ONCE, rows - start)
        some = rng.standard_normal((count, DIM), dtype=np.float32)
        if kind == "clustered":
            some = 0.6 * some + centres[rng.choice(2000, count, p=shares / shares.sum())]
        some /= np.linalg.norm(some, axis=1, keepdims=True)
        yield some.astype(np.float16)


def make_store(folder: Path, rows: int, kind: str) -> None:
    import pyarrow as pa

    from snaplink.fingerprint import Fingerprint
    from snaplink.store import Writer, embedding_column

    made_by = Fingerprint("random numbers", "0" * 64, {}, {"size": 224}, "fp32", True)
    building = folder.with_name(f"{folder.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    with Writer(building, made_by, dim=DIM) as writer:
        first = 0
        for some in draws(rows, kind, seed=1):
            numbers = range(first, first + len(some))
            keys = [f"/pictures/{number:08}.jpg" for number in numbers]
            columns = {
                "key": keys,
                "source": keys,
                "width": pa.array([640] * len(some), pa.int32()),
                "height": pa.array([480] * len(some), pa.int32()),
                "size": pa.array(numbers, pa.int64()),
                "mtime_ns": pa.array(numbers, pa.int64()),
                "image_embedding": embedding_column(some),
            }
            writer.append(pa.table(columns))
            first += len(some)
    building.rename(folder)


def make_plain(folder: Path, rows: int, kind: str) -> None:
    """The same vectors as one array, queries, and the rows that are truly the nearest."""
    matrix = np.concatenate(list(draws(rows, kind, seed=1)))
    queries = np.concatenate(list(draws(QUERIES, kind, seed=2))).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    scores = queries @ matrix.astype(np.float32).T
    nearest = np.argsort(-scores, axis=1, kind="stable")[:, :NEAREST]
    np.savez(folder, matrix=matrix, queries=queries, nearest=nearest)


def main() -> None:
    folder, rows, kind = Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{kind}-{rows}"
    if not (folder / f"{name}.store").exists():
        make_store(folder / f"{name}.store", rows, kind)
    if rows <= 200_000 and not (folder / f"{name}.npz").exists():
        make_plain(folder / f"{name}.npz", rows, kind)
    print(json.dumps({}))


if __name__ == "__main__":
    main()
