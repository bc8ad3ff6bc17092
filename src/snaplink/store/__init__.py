"""A store of embeddings: a directory of Parquet shards that a manifest lists.

`Store` reads, one `Writer` at a time writes. docs/store.md describes the format.
"""

from __future__ import annotations

from snaplink.errors import MissingPackageError

try:
    import pyarrow  # noqa: F401
except ImportError:
    raise MissingPackageError("stores", "pyarrow", "embed") from None

from .manifest import Manifest, Shard
from .schema import embedding_column
from .store import Store
from .writer import Stamp, Writer

__all__ = ["Manifest", "Shard", "Stamp", "Store", "Writer", "embedding_column"]
