"""An approximate index of a store's vectors (usearch's HNSW graph), for stores that are large."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snaplink.errors import MissingPackageError, StoreError
from snaplink.vectors import Matrix, Vectors

from .exact import Positions

if TYPE_CHECKING:
    from usearch.index import Index

    from .searchable import Searchable

__all__ = [
    "FOLDER",
    "IndexFacts",
    "Neighbours",
    "Progress",
    "add_rows",
    "new_index",
    "open_index",
    "write_index",
]

FOLDER = "index"
_FORMAT = 1
_ROWS_AT_ONCE = 4096

Progress = Callable[[int], object]
"""Called with the number of rows that were added."""


@dataclass(frozen=True)
class IndexFacts:
    """What stands beside an index.

    Attributes:
        modality: whose vectors it holds.
        snapshot: of the store that it was built for.
        rows: how many it holds.
        file: its name.
        size: its length in bytes.
        mtime_ns: when it was written: an index with another time is hashed before it is used.
        sha256: of its bytes.
        expansion: how many candidates a search keeps at hand.
        recall: by the kind of query, the share of the ten nearest that a search with this
            expansion found.
        queries: how many were asked, of each kind.
    """

    modality: str
    snapshot: str
    rows: int
    file: str
    size: int
    mtime_ns: int
    sha256: str
    expansion: int
    recall: dict[str, float]
    queries: dict[str, int]


class Neighbours:
    """A graph that is ready to be searched.

    Args:
        graph: its keys are positions of rows.
        expansion: how many candidates a search keeps at hand.
    """

    def __init__(self, graph: Index, expansion: int) -> None:
        self._graph = graph
        graph.expansion_search = expansion  # type: ignore[misc]  # its setter has no types

    def __len__(self) -> int:
        return len(self._graph)

    def candidates(self, query: Matrix, count: int) -> Positions:
        """About the nearest `count` rows to a unit vector ``[dim]``, in no certain order."""
        found = self._graph.search(query, min(count, len(self)), threads=1)
        return np.asarray(found.keys, np.int64)

    def of(self, queries: Matrix, count: int) -> tuple[Positions, Matrix]:
        """About the nearest rows to some unit vectors ``[q, dim]``, and their cosines.

        Returns:
            Positions and cosines, ``[q, count]``; minus infinity where there are no more.
        """
        found: Any = self._graph.search(queries, min(count, len(self)))
        keys = np.asarray(found.keys, np.int64).reshape(len(queries), -1)
        cosines = 1 - np.asarray(found.distances, np.float32).reshape(keys.shape)
        counts = np.broadcast_to(getattr(found, "counts", keys.shape[1]), len(queries))
        cosines[np.arange(keys.shape[1]) >= counts[:, None]] = -np.inf
        return keys, cosines


def new_index(dim: int, *, unit: bool) -> Index:
    """An empty graph.

    Raises:
        MissingPackageError: usearch is not installed.
    """
    try:
        from usearch.index import Index
    except ImportError:
        raise MissingPackageError("indexes", "usearch", "search") from None
    metric = "ip" if unit else "cos"
    return Index(ndim=dim, metric=metric, dtype="f16", connectivity=16, expansion_add=128)


def add_rows(graph: Index, vectors: Vectors, without: Positions, progress: Progress) -> None:
    """Add every row that holds a vector, but some."""
    for first, block in vectors.blocks():
        for start in range(0, len(block), _ROWS_AT_ONCE):
            rows = block[start : start + _ROWS_AT_ONCE]
            positions = np.arange(first + start, first + start + len(rows))
            good = np.isfinite(rows.sum(1, dtype=np.float32)) & ~np.isin(positions, without)
            if good.any():
                graph.add(positions[good], rows[good])
            progress(len(rows))


def write_index(
    store: Searchable,
    modality: str,
    graph: Index,
    *,
    expansion: int,
    recall: dict[str, float],
    queries: dict[str, int],
) -> IndexFacts:
    """Put an index beside the store's shards, in the place of an older one, all at once."""
    folder = store.path / FOLDER
    folder.mkdir(exist_ok=True)
    file = f"{modality}-{secrets.token_hex(8)}.usearch"
    beside = folder / f".{file}.tmp"
    try:
        graph.save(str(beside))
        sha256 = _sha256_of(beside)
        _sync(beside)
        beside.replace(folder / file)
    finally:
        beside.unlink(missing_ok=True)
    status = (folder / file).stat()
    facts = IndexFacts(
        modality,
        store.snapshot,
        len(graph),
        file,
        status.st_size,
        status.st_mtime_ns,
        sha256,
        expansion,
        recall,
        queries,
    )
    _publish(folder, facts)
    return facts


def _publish(folder: Path, facts: IndexFacts) -> None:
    """The description names its file, so one rename brings both; older files then go."""
    beside = folder / f".{facts.modality}.json.tmp"
    text = json.dumps({"format": _FORMAT, **asdict(facts)}, indent=2)
    beside.write_text(text + "\n", encoding="utf-8")
    _sync(beside)
    beside.replace(folder / f"{facts.modality}.json")
    for path in folder.glob(f"*{facts.modality}-*.usearch*"):
        if path.name != facts.file:
            with suppress(OSError):  # Windows: somebody searches with it
                path.unlink()


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def open_index(store: Searchable, modality: str) -> Neighbours | None:
    """The index of these vectors; None where none was built.

    Raises:
        StoreError: it is of an earlier state of the store, or damaged.
        MissingPackageError: usearch is not installed.
    """
    folder = store.path / FOLDER
    facts = _read(folder / f"{modality}.json")
    if facts is None:
        return None
    if facts.snapshot != store.snapshot:
        raise StoreError(
            f"the index was built for an earlier state of the store: build it again with "
            f"`snaplink index {store.path}`"
        )
    problem = next(_faults(folder / facts.file, facts), None)
    if problem:
        raise _damaged(folder / facts.file, problem)
    graph = new_index(store.dim, unit=store.fingerprint.normalized)
    try:
        graph.view(str(folder / facts.file))
    except Exception as error:  # whatever usearch finds wrong
        raise _damaged(folder / facts.file, str(error)) from None
    if len(graph) != facts.rows or graph.ndim != store.dim:
        raise _damaged(folder / facts.file, "another number of rows")
    return Neighbours(graph, facts.expansion)


def _faults(path: Path, facts: IndexFacts) -> Iterator[str]:
    """What must not reach usearch, which believes what it maps."""
    try:
        status = path.stat()
    except FileNotFoundError:
        yield "missing"
        return
    if status.st_size != facts.size:
        yield f"{status.st_size:,} bytes, not {facts.size:,}"
    # A copy has another time, and perhaps other bytes.
    elif status.st_mtime_ns != facts.mtime_ns and _sha256_of(path) != facts.sha256:
        yield "not the bytes that were written (SHA-256)"


def _read(path: Path) -> IndexFacts | None:
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
        if read.pop("format") != _FORMAT:
            raise ValueError("another format")
        facts = IndexFacts(**{field.name: read[field.name] for field in fields(IndexFacts)})
        if Path(facts.file).name != facts.file:
            raise ValueError("a file elsewhere")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, str(error)) from None
    return facts


def _damaged(path: Path, problem: str) -> StoreError:
    return StoreError(
        f"{path} is damaged ({problem}): build it again with `snaplink index {path.parents[1]}`"
    )
