"""What search needs to know of a store: `snaplink.store.Store` is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from snaplink.fingerprint import Fingerprint
    from snaplink.vectors import Vectors

    from .exact import Positions

__all__ = ["Searchable"]


class Searchable(Protocol):
    """Rows with vectors and metadata, which do not change while it is open."""

    path: Path

    @property
    def fingerprint(self) -> Fingerprint: ...
    @property
    def snapshot(self) -> str: ...
    @property
    def dim(self) -> int: ...
    @property
    def modalities(self) -> tuple[str, ...]: ...
    @property
    def schema(self) -> pa.Schema: ...
    def __len__(self) -> int: ...
    def check(self, fingerprint: Fingerprint, *, query: bool = False) -> None: ...
    def vectors(self, modality: str = "image") -> Vectors: ...
    def table(self, columns: Sequence[str] | None = None) -> pa.Table: ...
    def take(
        self, positions: Sequence[int] | Positions, columns: Sequence[str] | None = None
    ) -> pa.Table: ...
