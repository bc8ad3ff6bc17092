"""A server, in this process, of a store whose rows are known."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from snaplink import images
from snaplink.fake_encoder import FakeEncoder
from snaplink.serve.app import create_app
from snaplink.serve.settings import Settings

from ..conftest import EXAMPLES, wait_until_ready
from ..stores import DIM, add

NAMES = ["banana", "bicycle", "cat", "elephant", "guitar", "owl", "rocket", "sailboat"]
WORDS = ["red", "green", "blue"]


@dataclass(frozen=True)
class Served:
    """A client, the folder of the pictures, and the store."""

    client: TestClient
    folder: Path
    store: Path

    def found(self, *query, status: int = 200, **asked) -> dict:
        """The answer to a search."""
        answer = self.client.post("/v1/search", json={"query": list(query), **asked})
        assert answer.status_code == status, answer.text
        return answer.json()

    def problem(self, *query, status: int, **asked) -> dict:
        return self.found(*query, status=status, **asked)["error"]

    def keys(self, *query, **asked) -> list[str]:
        return [hit["key"] for hit in self.found(*query, **asked)["data"]]


def data_url(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Eight pictures, each its own vector, then three rows of words of which no picture is left."""
    folder = tmp_path_factory.mktemp("shown")
    encoder = FakeEncoder(dim=DIM)
    for name in NAMES:
        shutil.copy(EXAMPLES / f"{name}.png", folder)
    paths = [folder / f"{name}.png" for name in NAMES]
    pixels = [encoder.pixels(images.decode(path)) for path in paths]
    vectors = [
        *encoder.encode_pixels(torch.stack(pixels), normalize=True).numpy(),
        *encoder.encode_texts(WORDS, normalize=True).numpy(),
    ]
    lost = [str(folder / f"{word}.png") for word in WORDS]
    stats = [path.stat() for path in paths]
    count, rest = len(vectors), len(WORDS)
    add(
        folder / "s.store",
        np.stack(vectors),
        key=[*(f"{name}.png" for name in NAMES), *(f"{word}.png" for word in WORDS)],
        source=[*map(str, paths), *lost],
        size=[*(each.st_size for each in stats), *[1] * rest],
        mtime_ns=[*(each.st_mtime_ns for each in stats), *[1] * rest],
        width=list(range(100, 100 + count)),
        caption=[*NAMES, *[None] * rest],
        set=["a", "b"] * (count // 2) + ["a"] * (count % 2),
        score=[float("nan"), *[0.5] * (count - 1)],
    )
    app = create_app(Settings(store=folder / "s.store", workers=1), load=lambda: encoder)
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as client:
        wait_until_ready(client)
        yield Served(client, folder, folder / "s.store")
