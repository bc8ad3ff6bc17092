"""A server as people run it, in a process of its own, for the tests of those who ask it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from snaplink import Client
from snaplink.embed import Job, embed

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Served:
    """A running `snaplink serve`, over a store of the pictures in examples/."""

    url: str
    token: str
    store: Path


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    store = folder / "examples.store"
    embed([EXAMPLES], store, job=Job(workers=1))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = Served(f"http://127.0.0.1:{port}/", "the-token-of-the-tests", store)
    command = ["serve", str(store), "--port", str(port), "--workers", "1"]
    with (folder / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "snaplink", *command],
            stdout=log,
            stderr=log,
            env={**os.environ, "SNAPLINK_TOKEN": running.token},
        )
    try:
        with Client(running.url, running.token) as client:
            client.wait_until_ready(60)
        yield running
    finally:
        process.terminate()
        assert process.wait(60) == 0, (folder / "log").read_text(encoding="utf-8")
