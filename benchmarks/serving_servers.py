"""Servers for a while, each a process of its own, and how much memory they take."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import python_of

__all__ = ["Server", "peer", "snaplink"]


@dataclass(frozen=True)
class Server:
    """One that answers."""

    port: int
    pid: int

    def megabytes(self) -> float | None:
        """Memory of the process and of those that it started; None where nobody tells."""
        try:
            return sum(map(_kilobytes, [self.pid, *_children(self.pid)])) / 1000
        except OSError:
            return None


def _children(pid: int) -> list[int]:
    """Decoders; whichever of its threads has started them."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text(encoding="utf-8").split())
    return found


def _kilobytes(pid: int) -> int:
    """Shared pages are counted by their share."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
        name, value, *_ = line.split()
        if name == "Pss:":
            return int(value)
    return 0


@contextmanager
def snaplink(store: Path, model: Path, *options: str) -> Iterator[Server]:
    """`snaplink serve` with this store and model, ready."""
    command = [sys.executable, "-m", "snaplink", "serve", str(store), "--model", str(model)]
    log = store.with_suffix(".log")
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen([*command, "--port", "0", *options], stderr=file)
    with _ending(process):
        while process.poll() is None:
            for line in log.read_text(encoding="utf-8").splitlines(keepends=True):
                if '"ready"' in line and line.endswith("\n"):
                    url = json.loads(line)["url"]
                    yield Server(int(url.rstrip("/").rpartition(":")[2]), process.pid)
                    return
            time.sleep(0.1)
        raise RuntimeError(log.read_text(encoding="utf-8"))


@contextmanager
def peer(model: Path) -> Iterator[Server]:
    """The server that everybody writes, see `serving_peer.py`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = str(Path(__file__).with_name("serving_peer.py"))
    command = [python_of("openai/CLIP"), "-W", "ignore", script, str(model), str(port)]
    process = subprocess.Popen(command, env={**os.environ, "TQDM_DISABLE": "1"})
    with _ending(process):
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                time.sleep(0.1)
            else:
                yield Server(port, process.pid)
                return
        raise RuntimeError("the peer's server ended before it listened")


@contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """The process ends with this context, by itself if it can."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
