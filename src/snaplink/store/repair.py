"""What is wrong with a store, and how it becomes one again that can be used."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from snaplink.errors import StoreError

from . import failures
from .files import remove
from .lock import WriterLock
from .manifest import Manifest
from .opening import tidy
from .shards import ShardFiles

__all__ = ["Repaired", "faults", "repair"]

ASIDE = "damaged"


@dataclass(frozen=True)
class Repaired:
    """What had to be done: what was wrong, and how many rows are no longer in the store."""

    faults: list[str]
    rows_lost: int


def faults(path: Path, manifest: Manifest) -> list[str]:
    """Read everything of a store, also of one that cannot be opened: what is wrong, a line each."""
    files = ShardFiles(path, manifest)
    found: list[str] = []
    for shard in manifest.shards:
        damage = files.damage(shard)
        found += [damage] if damage else files.wrong_vectors(shard)
    try:
        failures.read_failures(path)
    except StoreError as error:
        found.append(str(error))
    return found


def repair(path: Path) -> Repaired:
    """Bring a store to be what its manifest says, as far as its shards are sound.

    Damaged shards are taken out of it, into a folder of its own, and their rows are to be made
    again. Files of vectors and of failures are derived: they are made anew, or begun anew.

    Raises:
        StoreError: the manifest is damaged, or somebody writes to the store.
    """
    Manifest.read(path)
    lock = WriterLock(path)
    try:
        manifest = Manifest.read(path)
        found = faults(path, manifest)
        files = ShardFiles(path, manifest)
        sound = [shard for shard in manifest.shards if files.damage(shard) is None]
        lost = manifest.rows - sum(shard.rows for shard in sound)
        if lost:
            for shard in (shard for shard in manifest.shards if shard not in sound):
                _set_aside(files.parquet(shard.name))
            snapshot = secrets.token_hex(8)
            manifest = replace(manifest, shards=tuple(sound), snapshot=snapshot)
            manifest.write(path)
        for shard in sound:
            if any(files.wrong_vectors(shard)):
                files.drop_vectors(shard.name)
        tidy(files, manifest)
        _begin_failures_anew(path)
    finally:
        lock.release()
    return Repaired(found, lost)


def _set_aside(parquet: Path) -> None:
    """For who wants to look what can be saved."""
    if parquet.exists():
        folder = parquet.parent.parent / ASIDE
        folder.mkdir(exist_ok=True)
        parquet.replace(folder / parquet.name)


def _begin_failures_anew(path: Path) -> None:
    try:
        failures.read_failures(path)
    except StoreError:
        remove(path / failures.NAME)
