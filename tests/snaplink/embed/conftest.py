"""Pictures, sources and stores for the tests of `embed`."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from snaplink.embed import Columns, Job, Summary, embed, local
from snaplink.embed.items import Item
from snaplink.embed.reading import Outcome, Reader
from snaplink.embed.sources import opened
from snaplink.fake_encoder import FakeEncoder
from snaplink.store import Store


def jpeg(seed: int) -> bytes:
    """A small picture that is unlike all others."""
    noise = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize((64, 48)).save(buffer, "jpeg")
    return buffer.getvalue()


@pytest.fixture
def picture_bytes() -> Callable[[int], bytes]:
    return jpeg


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with six pictures, two of them in a folder inside."""
    folder = tmp_path / "photos"
    (folder / "inside").mkdir(parents=True)
    for number in range(6):
        where = folder / "inside" if number > 3 else folder
        (where / f"{number}.jpg").write_bytes(jpeg(number))
    return folder


@pytest.fixture
def listed() -> Callable[..., tuple[list[Item], list[str]]]:
    """The items of sources, and what could not be listed."""

    def list_(*names: Any, **columns: Any) -> tuple[list[Item], list[str]]:
        problems: list[str] = []
        sources = opened(names, Columns(**columns))
        report = lambda error: problems.append(str(error))  # noqa: E731
        return [item for source in sources for item in source.items(report)], problems

    return list_


class InProcess:
    """Stands for `Decoders`, without their processes."""

    def __init__(self, workers: int, limit: float) -> None:
        self.stopping = False

    def use(self, reader: Reader) -> None:
        self.reader = reader

    def map(self, items: Iterator[Item]) -> Iterator[Outcome]:
        for item in items:
            if self.stopping:
                return
            yield self.reader(item)

    def stop(self) -> None:
        self.stopping = True

    close = stop


class Fakes:
    """Stands for `Models`."""

    def __init__(self, *encoders: FakeEncoder) -> None:
        self.encoders = encoders or (FakeEncoder(),)

    def everywhere(self) -> tuple[FakeEncoder, ...]:
        return self.encoders


@pytest.fixture
def fakes() -> type[Fakes]:
    return Fakes


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read items in this process: a second faster."""
    monkeypatch.setattr(local, "Decoders", InProcess)


@pytest.fixture
def embedded(tmp_path: Path) -> Callable[..., Summary]:
    """Embed sources into `tmp_path / "store"` with the fake encoder."""

    def embed_(*names: Any, **options: Any) -> Summary:
        chosen = Job(**{"workers": 1, **options})
        return embed(names, tmp_path / "store", Fakes(), chosen)

    return embed_


@pytest.fixture
def rows(tmp_path: Path) -> Callable[[], dict[str, dict[str, Any]]]:
    """The rows of `tmp_path / "store"` by key, each with its vectors; no key is there twice."""

    def rows_() -> dict[str, dict[str, Any]]:
        store = Store.open(tmp_path / "store")
        found = store.table().to_pylist()
        for modality in store.modalities:
            for row, vector in zip(found, store.to_numpy(modality), strict=True):
                row[modality] = vector
        by_key = {row["key"]: row for row in found}
        assert len(by_key) == len(found)
        return by_key

    return rows_
