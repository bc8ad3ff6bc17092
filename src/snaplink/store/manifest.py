"""`manifest.json`: which shards are the store, and what made their vectors.

To replace it is to commit: what it does not list is no part of the store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from snaplink.errors import StoreError
from snaplink.fingerprint import Fingerprint

from .files import sync_directory, write_whole

__all__ = ["DTYPES", "MODALITIES", "NAME", "Manifest", "Shard", "VectorFile"]

NAME = "manifest.json"
FORMAT = "snaplink-store"
VERSION = 1
MODALITIES = ("image", "text")
DTYPES = ("float16", "float32")


@dataclass(frozen=True)
class VectorFile:
    """What must be true of the vectors of one modality in a shard, and of their `.npy`.

    Attributes:
        missing: how many rows hold no vector.
        sample: CRC-32 of the bytes of some rows, which tells another file of the same shape.
    """

    missing: int
    sample: int


@dataclass(frozen=True)
class Shard:
    """A Parquet file that is never changed, only replaced by another of another name.

    Attributes:
        name: of the files, without what comes after the first dot. Names sort as the rows do.
        rows: how many there are.
        size: of the Parquet file in bytes.
        sha256: of the Parquet file.
        vectors: by modality.
    """

    name: str
    rows: int
    size: int
    sha256: str
    vectors: Mapping[str, VectorFile]

    @property
    def ordinal(self) -> int:
        """The number that the name begins with."""
        return int(self.name.partition("-")[0])


@dataclass(frozen=True)
class Manifest:
    """What a store is.

    Attributes:
        fingerprint: what made the vectors.
        dim: their width.
        dtype: "float16" or "float32".
        modalities: of "image" and "text", those that have a column of vectors.
        vectors: whether `.npy` files belong beside the shards.
        snapshot: changes whenever rows change.
        shards: in the order of the rows.
    """

    fingerprint: Fingerprint
    dim: int
    dtype: str
    modalities: tuple[str, ...]
    vectors: bool
    snapshot: str
    shards: tuple[Shard, ...] = ()

    @property
    def rows(self) -> int:
        return sum(shard.rows for shard in self.shards)

    def write(self, directory: Path) -> None:
        """Replace the manifest of a store: the moment at which a change takes place."""
        content = {"format": FORMAT, "version": VERSION, "rows": self.rows, **asdict(self)}
        data = json.dumps(content, indent=1, ensure_ascii=False).encode()
        write_whole(directory / NAME, lambda file: file.write(data))
        sync_directory(directory)

    @classmethod
    def read(cls, directory: Path) -> Manifest:
        """Read the manifest of a store.

        Raises:
            StoreError: there is none, it is damaged, or it is of a newer format.
        """
        path = directory / NAME
        try:
            content = json.loads(path.read_bytes())
            return cls._parsed(path, content)
        except (FileNotFoundError, NotADirectoryError):
            raise StoreError(
                f"{directory} is no store: it has no {NAME} (snaplink embed makes a store)"
            ) from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise StoreError(
                f"{path} is damaged ({_problem(error)}): restore it from a backup; the rows "
                "themselves are in the Parquet files of shards/"
            ) from None

    @classmethod
    def _parsed(cls, path: Path, content: Any) -> Manifest:
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise StoreError(f"{path} is not the manifest of a snaplink store")
        version = content["version"]
        if not isinstance(version, int) or version < 1:
            raise ValueError(f"version {version!r}")
        if version > VERSION:
            raise StoreError(
                f"{path.parent} is a store of format {version}; this snaplink reads formats up to "
                f"{VERSION}: pip install --upgrade snaplink"
            )
        modalities = tuple(content["modalities"])
        if not modalities or any(name not in MODALITIES for name in modalities):
            raise ValueError(f"modalities {modalities}")
        if content["dtype"] not in DTYPES:
            raise ValueError(f"dtype {content['dtype']!r}")
        manifest = cls(
            fingerprint=Fingerprint.from_json(content["fingerprint"]),
            dim=_natural(content, "dim"),
            dtype=content["dtype"],
            modalities=modalities,
            vectors=bool(content["vectors"]),
            snapshot=str(content["snapshot"]),
            shards=tuple(_shard(shard, modalities) for shard in content["shards"]),
        )
        names = [shard.name for shard in manifest.shards]
        if names != sorted(set(names)) or manifest.rows != content["rows"]:
            raise ValueError("its list of shards contradicts itself")
        return manifest


def _shard(read: Mapping[str, Any], modalities: tuple[str, ...]) -> Shard:
    name = read["name"]
    ordinal, _, token = name.partition("-")
    if not (ordinal.isdecimal() and token.isalnum() and name.isascii()):
        raise ValueError(f"a shard {name!r}")  # a path, perhaps, that leads out of the store
    return Shard(
        name=name,
        rows=_natural(read, "rows"),
        size=_natural(read, "size"),
        sha256=str(read["sha256"]),
        vectors={
            modality: VectorFile(
                missing=_natural(read["vectors"][modality], "missing"),
                sample=_natural(read["vectors"][modality], "sample"),
            )
            for modality in modalities
        },
    )


def _natural(read: Mapping[str, Any], name: str) -> int:
    value = read[name]
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} {value!r}")
    return value


def _problem(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
