"""Servers for the tests of those who ask them: as people run one, and within reach of a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from snaplink import Client, Encoder
from snaplink.embed import Job, embed
from snaplink.serve.app import create_app
from snaplink.serve.listening import address_of, listen
from snaplink.serve.settings import Settings

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
    store, log, token = folder / "examples.store", folder / "log", "the-token-of-the-tests"
    embed([EXAMPLES], store, job=Job(workers=1))
    command = ["serve", str(store), "--port", "0", "--workers", "1"]
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "snaplink", *command],
            stderr=file,
            env={**os.environ, "SNAPLINK_TOKEN": token},
        )
    try:
        yield Served(_address(process, log), token, store)
    finally:
        process.terminate()
        assert process.wait(120) == 0, log.read_text(encoding="utf-8")


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it listens, once it says that it is ready."""
    while process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines(keepends=True):
            if '"ready"' in line and line.endswith("\n"):
                return str(json.loads(line)["url"])
        time.sleep(0.1)
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def serving() -> Callable[..., AbstractContextManager[str]]:
    """Serve in a thread, with an encoder of the test's own; gives the address."""
    return _serving


@contextmanager
def _serving(encoder: Encoder, **settings: object) -> Iterator[str]:
    app = create_app(Settings(workers=1, **settings), load=lambda: encoder)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none"))
    sockets = listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=(sockets,))
    thread.start()
    try:
        with Client(address_of(sockets)) as client:
            client.wait_until_ready(120)
        yield address_of(sockets)
    finally:
        server.should_exit = True
        thread.join(120)
        assert not thread.is_alive()
