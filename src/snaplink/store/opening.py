"""A directory made ready for its writer: new, or as the last one left it, killed or not."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from snaplink.errors import StoreError

from . import failures
from . import manifest as manifests
from .files import TEMPORARY, remove, temporary
from .manifest import Manifest
from .shards import FOLDER, ShardFiles

__all__ = ["agreed", "make_room", "tidy"]

_OURS = re.compile(r"\.?(\d+-[0-9a-f]+)\.")


def make_room(path: Path) -> None:
    """See to it that `path` is a directory that is a store or may become one.

    Raises:
        StoreError: it is something else, or a store without its manifest.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise StoreError(f"{path} is a file: a store is a directory") from None
    if (path / manifests.NAME).exists():
        return
    if (path / FOLDER).is_dir() and any((path / FOLDER).iterdir()):
        raise StoreError(
            f"{path} has {FOLDER}/ and no {manifests.NAME}: restore that from a backup"
        )
    ours = ("writer.", ".", FOLDER)  # of a writer that was killed before it wrote the manifest
    others = [entry.name for entry in path.iterdir() if not entry.name.startswith(ours)]
    if others:
        raise StoreError(
            f"{path} is no store and not empty (it has {others[0]}): name a new directory"
        )


def agreed(path: Path, wanted: Manifest) -> Manifest:
    """The manifest that is there, or else the wanted one, from now on there.

    Raises:
        StoreError: the one that is there does not agree with the wanted one.
    """
    if not (path / manifests.NAME).exists():
        (path / FOLDER).mkdir(exist_ok=True)
        wanted.write(path)
        return wanted
    found = Manifest.read(path)
    differences = found.fingerprint.differences(wanted.fingerprint)
    differences += [
        f"{name} {_said(getattr(found, name))}, not {_said(getattr(wanted, name))}"
        for name in ("dim", "dtype", "modalities")
        if getattr(found, name) != getattr(wanted, name)
    ]
    if differences:
        raise StoreError(
            f"{path} was made otherwise: {'; '.join(differences)}. Use the options that made it, "
            "or another directory"
        )
    if found.vectors != wanted.vectors:
        found = replace(found, vectors=wanted.vectors)
        found.write(path)
    return found


def _said(value: object) -> str:
    return " and ".join(value) if isinstance(value, tuple) else str(value)


def tidy(files: ShardFiles, manifest: Manifest) -> None:
    """Remove what killed writers left, and write what is missing of the vectors' files.

    Files with names of another kind are left alone.
    """
    for name in (manifests.NAME, failures.NAME):
        remove(temporary(files.folder.parent / name))
    live = {shard.name for shard in manifest.shards}
    _sweep(files.folder, live)
    if manifest.vectors:
        files.vectors.mkdir(exist_ok=True)
        _sweep(files.vectors, live)
        for shard in manifest.shards:
            files.rebuild(shard)
    elif files.vectors.is_dir():
        _sweep(files.vectors, set())
        with suppress(OSError):  # files of others
            files.vectors.rmdir()


def _sweep(folder: Path, live: set[str]) -> None:
    for path in folder.iterdir():
        ours = _OURS.match(path.name)
        if ours and (ours[1] not in live or path.suffix == TEMPORARY):
            with suppress(PermissionError):  # Windows: somebody reads it
                remove(path)
