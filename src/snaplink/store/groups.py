"""Row groups of an open store, the last ones that were read remembered as far as they fit."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TypeAlias

import pyarrow as pa

__all__ = ["RowGroups"]

_ROOM = 64 << 20
"""Bytes to remember: the metadata of about a million rows."""

_Name: TypeAlias = tuple[int, int, tuple[str, ...]]


class RowGroups:
    """Reads row groups, and keeps what was used last; several threads may ask.

    Args:
        read: gives columns of one row group: the number of its shard, its own, and their names.
        room: bytes to keep at most.
    """

    def __init__(
        self, read: Callable[[int, int, list[str]], pa.Table], *, room: int = _ROOM
    ) -> None:
        self._read = read
        self._room = room
        self._kept: OrderedDict[_Name, pa.Table] = OrderedDict()
        self._lock = Lock()
        self.size = 0

    def get(self, shard: int, group: int, columns: Sequence[str]) -> pa.Table:
        """Columns of a row group."""
        name = (shard, group, tuple(columns))
        with self._lock:
            table = self._kept.get(name)
            if table is None:
                table = self._read(shard, group, list(columns))
                self._kept[name] = table
                self.size += table.nbytes
                while self.size > self._room:
                    self.size -= self._kept.popitem(last=False)[1].nbytes
            else:
                self._kept.move_to_end(name)
            return table
