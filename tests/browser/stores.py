"""A store to look at: some pictures with columns of every kind, and thousands of further rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from snaplink import load_encoder
from snaplink.drawings import drawings
from snaplink.fingerprint import fingerprint
from snaplink.store import Writer, embedding_column

__all__ = ["LOST", "MANY", "NAMES", "REAL", "append", "photos"]

REAL, MANY = 60, 5000
LOST = 8
"""The row whose picture is deleted."""

NAMES = (
    "שלום עולם.png",
    "🦊 & <b>fox<b>.png",
    "a" * 180 + ".png",
    "100%#?=.png",
    "it's “quoted”.png",
)
"""Of the first pictures."""


def photos(folder: Path) -> Path:
    """Make it in the folder, without captions: a picture is called what its file is called."""
    store = folder / "photos.store"
    encoder = load_encoder("tiny")
    some = list(drawings())[:REAL]
    names = [*NAMES, *(each.file for each in some[len(NAMES) :])]
    pictures = [each.picture.convert("RGB") for each in some]
    rows = [
        _file(folder / name, picture) | _columns(number, names[number])
        for number, (name, picture) in enumerate(zip(names, pictures, strict=True))
    ]
    vectors = encoder.encode_pictures(pictures, normalize=True).numpy()
    made = fingerprint(encoder, upright=True, normalized=True, bulk=False)
    with Writer(store, made, dim=vectors.shape[1]) as writer:
        writer.append(_table(rows, vectors))
        writer.append(_table(*_further(rows[-1], vectors)))
    Path(rows[LOST]["source"]).unlink()
    return store


def append(store: Path, folder: Path) -> None:
    """One more row, as `snaplink embed` adds them."""
    encoder = load_encoder("tiny")
    picture = Image.new("RGB", (64, 64), "crimson")
    vectors = encoder.encode_pictures([picture], normalize=True).numpy()
    made = fingerprint(encoder, upright=True, normalized=True, bulk=False)
    row = _file(folder / "one more.png", picture) | _columns(0, "one more")
    with Writer(store, made, dim=vectors.shape[1]) as writer:
        writer.append(_table([row], vectors))


def _file(path: Path, picture: Image.Image) -> dict[str, Any]:
    picture.save(path)
    status = path.stat()
    return {
        "key": str(path),
        "source": str(path),
        "width": picture.width,
        "height": picture.height,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
    }


def _columns(number: int, name: str) -> dict[str, Any]:
    return {
        "album": ("summer", "winter", 'it\'s "home"')[number % 3],
        "stars": number / 4,
        "taken": datetime(2024, 1, 1, 12) + timedelta(days=number),
        "favourite": number % 2 == 0,
        "note": f"number {number}: {name}",
        "place": f"place {number % 20}",
        "tags": [name],
    }


def _further(row: dict[str, Any], vectors: np.ndarray[Any, Any]) -> tuple[list[Any], Any]:
    """Rows that show one and the same file, far from whatever is searched for."""
    rows = [
        row | {"key": f"{row['key']}/{number:05}"} | dict.fromkeys(_columns(0, ""))
        for number in range(MANY - REAL)
    ]
    away = -vectors.mean(axis=0) + np.random.default_rng(0).normal(
        0, 0.005, (len(rows), vectors.shape[1])
    )
    return rows, away / np.linalg.norm(away, axis=1, keepdims=True)


def _table(rows: list[dict[str, Any]], vectors: np.ndarray[Any, Any]) -> pa.Table:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for name in [
        name for name, values in columns.items() if not any(v is not None for v in values)
    ]:
        del columns[name]
    return pa.table({**columns, "image_embedding": embedding_column(vectors.astype(np.float16))})
