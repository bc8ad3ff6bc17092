"""`snaplink serve` as people start it: a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import httpx

__all__ = ["Server"]

PATIENCE = 120.0
"""Seconds until the model is loaded, on a machine that has much else to do."""


class Server:
    """A running server; it may be stopped, and started again at the same address.

    Args:
        log: where what it says goes.
        store: what it serves; None for the example pictures.
        token: what it asks for.
    """

    def __init__(self, log: Path, store: Path | None = None, token: str | None = None) -> None:
        self.log = log
        self.store = store
        self.token = token
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}/"

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def page(self) -> str:
        """The page's address, with the token, as the server prints it."""
        return self.url if self.token is None else f"{self.url}#token={quote(self.token, safe='')}"

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.launch()
        self._until(lambda: self._answers("readyz"))

    def launch(self) -> None:
        """Start it; the model is still to be loaded."""
        store = [] if self.store is None else [str(self.store)]
        options = ["--port", str(self._port), "--workers", "1"]
        environment = {
            name: value for name, value in os.environ.items() if name != "SNAPLINK_TOKEN"
        }
        if self.token is not None:
            environment["SNAPLINK_TOKEN"] = self.token
        with self.log.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "snaplink", "serve", *store, *options],
                stdout=log,
                stderr=log,
                env=environment,
            )

    def listening(self) -> None:
        """Wait until it answers at all."""
        self._until(self._answers)

    def fill(self, rows: int) -> None:
        """Wait for so many rows: on a slow machine the example pictures come bit by bit."""
        self._until(lambda: self._get("v1/store").json()["rows"] >= rows)

    def stop(self) -> None:
        """End it as Ctrl-C would."""
        self._process.terminate()
        assert self._process.wait(PATIENCE) == 0, self.log.read_text(encoding="utf-8")

    def _until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert self._process.poll() is None, self.log.read_text(encoding="utf-8")
            assert time.monotonic() < end, self.log.read_text(encoding="utf-8")
            time.sleep(0.05)

    def _get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", trust_env=False, timeout=PATIENCE)

    def _answers(self, path: str = "healthz") -> bool:
        try:
            return self._get(path).is_success
        except httpx.TransportError:
            return False
