"""The store of example pictures, made when a server starts without one, gone when it ends."""

from __future__ import annotations

import asyncio
import io
import random
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from PIL import Image

from snaplink.drawings import FOLDER, drawings
from snaplink.fingerprint import fingerprint
from snaplink.store import Writer, embedding_column

if TYPE_CHECKING:
    from snaplink.vectors import Matrix

    from .inference import Inference

__all__ = ["Demo"]

_AT_ONCE = 16
_PATIENCE = 5.0
"""Seconds for which a server waits for all of them; a large model does the others later."""

_EXAMPLES = (FOLDER.parent / "examples", FOLDER.parents[3] / "examples")
"""Where the larger pictures are: in an installed package, and in the repository."""


@dataclass(frozen=True)
class _Example:
    """A picture that is shown."""

    file: str
    name: str
    set: str
    content: bytes


class Demo:
    """Embeds the example pictures into a store in a temporary directory.

    Args:
        inference: runs the served model, whichever it is.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._making: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()

    @cached_property
    def _folder(self) -> tempfile.TemporaryDirectory[str]:
        """Made when it is needed: an application may be made for its document alone."""
        return tempfile.TemporaryDirectory(prefix="snaplink-examples-", ignore_cleanup_errors=True)

    @property
    def store(self) -> Path:
        return Path(self._folder.name) / "examples.store"

    async def start(self) -> Path:
        """Make the store: all of it, or, if the model is slow, a part, and the rest later."""
        self._making = asyncio.create_task(self._make())
        await asyncio.wait({self._making}, timeout=_PATIENCE)
        begun = asyncio.create_task(self._begun.wait())
        await asyncio.wait({self._making, begun}, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if self._making.done():
            self._making.result()
        return self.store

    async def close(self) -> None:
        """Stop, and remove it."""
        if self._making is not None:
            self._making.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._making
        self._folder.cleanup()

    async def _make(self) -> None:
        examples = await asyncio.to_thread(_examples)
        made = fingerprint(
            self._inference.encoder,
            upright=self._inference.upright,
            normalized=True,
            bulk=self._inference.bulk,
        )
        with Writer(self.store, made, dim=self._inference.dim) as writer:
            for start in range(0, len(examples), _AT_ONCE):
                some = examples[start : start + _AT_ONCE]
                vectors = await self._inference.pictures([each.content for each in some])
                await asyncio.to_thread(writer.append, self._table(some, vectors))
                self._begun.set()

    def _table(self, examples: list[_Example], vectors: Matrix) -> pa.Table:
        rows = [_written(Path(self._folder.name), each) for each in examples]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        return pa.table(
            {**columns, "image_embedding": embedding_column(vectors.astype(np.float16))}
        )


def _written(folder: Path, example: _Example) -> dict[str, object]:
    """The row of a picture, which is written into the folder."""
    path = folder / example.file
    path.write_bytes(example.content)
    with Image.open(path) as picture:
        width, height = picture.size
    status = path.stat()
    return {
        "key": example.file,
        "source": str(path),
        "width": width,
        "height": height,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "caption": example.name,
        "set": example.set,
    }


def _examples() -> list[_Example]:
    """The larger ones first, then all sets mixed."""
    small = [_Example(each.file, each.name, each.set, _png(each.picture)) for each in drawings()]
    random.Random(0).shuffle(small)
    return [*_larger(), *small]


def _larger() -> Iterator[_Example]:
    folder = next((folder for folder in _EXAMPLES if folder.is_dir()), None)
    for path in sorted(folder.glob("*.png")) if folder else ():
        yield _Example(path.name, path.stem.replace("-", " "), "examples", path.read_bytes())


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
