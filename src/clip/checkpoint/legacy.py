"""Files of ``torch.save`` before 1.6, and of today's with the zip format switched off.

Five pickles in a row (magic number, version, facts about the machine, the object, the keys of its
storages), then the storages: each its number of elements (8 bytes) and its bytes. The order of the
bytes is little-endian whatever the machine was.
"""

from __future__ import annotations

import struct

from ..errors import CheckpointError
from .budget import Budget
from .contents import Contents
from .recipes import Region, Storage, TensorRecipes, read_storage
from .source import FileSource
from .torch_file import plain_tree
from .unpickle import Persistent, Stream, load

__all__ = ["read_legacy"]

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001


def read_legacy(source: FileSource, budget: Budget) -> Contents:
    """Read the pickles, and place the storages behind them."""
    stream = Stream(source, 0, source.size)
    if load(stream, budget) != _MAGIC:
        raise CheckpointError(
            source.path,
            "this pickle was not written by torch.save",
            "Load it with the program that wrote it, and save the weights with torch.save.",
        )
    if load(stream, budget) != _VERSION:
        raise source.damaged("its version of torch's legacy format is unknown")
    load(stream, budget)
    references: list[Persistent] = []
    pickled = load(stream, budget, references)
    regions = _place_storages(stream, load(stream, budget), references, budget)

    def locate(storage: Storage) -> Region:
        if storage.key not in regions:
            raise source.damaged(f"its storage {storage.key:.80} is missing")
        return regions[storage.key]

    recipes = TensorRecipes(source, locate, big_endian=False)
    return Contents("torch.save legacy", plain_tree(pickled, recipes, budget))


def _place_storages(
    stream: Stream, keys: object, references: list[Persistent], budget: Budget
) -> dict[str, Region]:
    """Where each storage lies: they follow in the order of their keys."""
    source = stream.source
    budget.spend(256 * len(references))
    storages = (read_storage(node, source) for node in references if not _is_module(node))
    known = {storage.key: storage for storage in storages}
    regions: dict[str, Region] = {}
    for key in keys if isinstance(keys, list) else []:
        budget.spend(256)
        storage = known.get(key) if isinstance(key, str) else None
        if storage is None or storage.key in regions:
            raise source.damaged("its list of storages makes no sense")
        count = struct.unpack("<q", stream.take(8))[0]
        if count != storage.total:
            raise source.damaged(
                f"its storage {storage.key:.80} has {count} elements, expected are {storage.total}"
            )
        nbytes = count * storage.dtype.itemsize
        regions[storage.key] = Region(stream.position, nbytes)
        stream.skip(nbytes)
    return regions


def _is_module(node: Persistent) -> bool:
    """Whether this is the class of a module, which the legacy format keeps with its source code."""
    return isinstance(node.reference, tuple) and node.reference[:1] == ("module",)
