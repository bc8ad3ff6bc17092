"""Clients that ask a server as fast as it answers, cheaply: they share its cores.

    python serving_load.py snaplink PORT FOLDER WORKLOAD CLIENTS SECONDS FIRST

One thread, and one socket a client that is kept open; of an answer nothing is read but its status
and its length. Prints rate, latencies and errors.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from serving_inputs import jpegs, requests

__all__ = ["Load", "percentile"]

WARM_UP = 3.0
"""Seconds that are not counted; a fifth of shorter runs."""
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class Client:
    """One who waits for the answer before the next question."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()
        self.since = 0.0

    def ask(self, question: bytes) -> None:
        self._received.clear()
        self.since = time.perf_counter()
        self.socket.sendall(question)

    def status(self) -> str | None:
        """Take what came: the status of an answer that is whole, or how it ended instead."""
        try:
            part = self.socket.recv(1 << 18)
        except OSError as error:
            return type(error).__name__
        if not part:
            return "closed"
        self._received += part
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return None
        length = _LENGTH.search(self._received, 0, end + 2)
        if length is None:
            return "no length"
        whole = len(self._received) >= end + 4 + int(length[1])
        return self._received[9:12].decode() if whole else None


class Load:
    """Many of them, for a time.

    Attributes:
        latencies: seconds, of what was answered with 200 after the warm-up.
        errors: other statuses and broken connections, and how many of each.
        share: of one core that the clients themselves took.
    """

    def __init__(self, port: int, questions: Iterator[bytes], clients: int) -> None:
        self._port, self._questions = port, questions
        self._selector = selectors.DefaultSelector()
        self.latencies: list[float] = []
        self.errors: Counter[str] = Counter()
        self.share = 0.0
        for _ in range(clients):
            self._join()

    def run(self, seconds: float) -> None:
        self._until(time.perf_counter() + min(WARM_UP, seconds / 5))
        self.latencies.clear()
        used = time.process_time()
        self._until(time.perf_counter() + seconds)
        self.share = (time.process_time() - used) / seconds
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        self._selector.close()

    def _join(self) -> None:
        client = Client(self._port)
        self._selector.register(client.socket, selectors.EVENT_READ, client)
        client.ask(next(self._questions))

    def _until(self, end: float) -> None:
        while (now := time.perf_counter()) < end:
            for key, _ in self._selector.select(end - now):
                self._look(key.data)

    def _look(self, client: Client) -> None:
        status = client.status()
        if status is None:
            return
        if status == "200":
            self.latencies.append(time.perf_counter() - client.since)
        else:
            self.errors[status] += 1
        if status.isdigit():
            client.ask(next(self._questions))
        else:
            self._selector.unregister(client.socket)
            client.socket.close()
            self._join()


def percentile(latencies: list[float], share: float) -> float | None:
    """The latency that this share of the requests did not exceed, in milliseconds."""
    if not latencies:
        return None
    return 1000 * sorted(latencies)[min(len(latencies) - 1, int(share * len(latencies)))]


def main() -> None:
    port, folder, workload, clients, seconds, first = sys.argv[2:]
    questions = requests(workload, jpegs(Path(folder)), int(first))
    load = Load(int(port), questions, int(clients))
    load.run(float(seconds))
    latencies = {f"p{share} ms": percentile(load.latencies, share / 100) for share in (50, 95, 99)}
    found = {
        "served/s": len(load.latencies) / float(seconds),
        **latencies,
        "errors": load.errors.total(),
        "clients' core": load.share,
    }
    if load.errors:
        print(f"errors: {dict(load.errors)}", file=sys.stderr)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
