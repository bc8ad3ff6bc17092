"""`snaplink serve` in a process of its own, as people and their scripts run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import httpx

__all__ = ["Running"]

_PATIENCE = 180


class Running:
    """A server that listens; `ready` waits until it answers everything.

    Args:
        arguments: of `snaplink serve`; without ``--port``, any free one.
        environment: further variables.

    Attributes:
        url: its address, without a slash at the end.
        lines: what it has logged, one JSON object a line.
        strange: lines of its log that are none.
    """

    def __init__(self, *arguments: str, **environment: str) -> None:
        port = () if "--port" in arguments else ("--port", "0")
        self.lines: list[dict[str, Any]] = []
        self.strange: list[str] = []
        self._told = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "snaplink", "serve", *arguments, *port],
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = str(self.wait_for("listening")["url"]).rstrip("/")

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()

    def ready(self) -> Running:
        """Wait until the model is loaded and the store open."""
        self.wait_for("ready")
        return self

    def wait_for(self, event: str) -> dict[str, Any]:
        """The line that tells of this event."""

        def line() -> dict[str, Any] | None:
            return next((line for line in self.lines if line["event"] == event), None)

        with self._told:
            self._told.wait_for(lambda: line() or self.process.poll() is not None, _PATIENCE)
        found = line()
        assert found, f"no line tells of {event!r}: {self.lines} {self.strange}"
        return found

    def client(self, **options: Any) -> httpx.Client:
        """Someone who asks it."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=60, **options)

    def end(self, how: int = signal.SIGTERM) -> int:
        """Send a signal, and give the exit code."""
        self.process.send_signal(how)
        return self.ended()

    def ended(self) -> int:
        """The exit code, when it has ended."""
        code = self.process.wait(_PATIENCE)
        self._reader.join()
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._told:
                try:
                    self.lines.append(json.loads(line))
                except ValueError:
                    self.strange.append(line.rstrip())
                self._told.notify_all()
        self.process.stderr.close()
        with self._told:
            self._told.notify_all()
