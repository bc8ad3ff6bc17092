"""Clients of all kinds at once: some ask for nonsense, and some do not wait for their answer.

    python serving_soak.py snaplink PORT FOLDER CLIENTS SECONDS

Prints how many requests there were, their latencies, and how many were answered wrongly.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from serving_inputs import captions, jpegs, request
from serving_load import percentile

Ask = Callable[[], None]

LABELS = ["a cat", "a dog", "a house", "a boat"]


class Unexpected(Exception):  # noqa: N818  # it is counted, not raised to anybody
    """An answer of another status."""


WRONG = (Unexpected, OSError, http.client.HTTPException, ValueError, LookupError)
"""What may become of a deed; to count, not to stop at."""


class Visitor:
    """One client, with a connection that is kept, who does one thing after the other."""

    def __init__(self, port: int, pictures: list[bytes], number: int) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._random = random.Random(number)
        self._pictures = pictures
        self._captions: Iterator[str] = captions(number * 1_000_000)

    def deeds(self) -> list[Ask]:
        embed = [self.a_caption, self.a_picture, self.several] * 3
        return [*embed, self.classify, self.search, self.look, self.page, self.nonsense, self.leave]

    def a_caption(self) -> None:
        self._post("/v1/embeddings", {"input": next(self._captions)})

    def a_picture(self) -> None:
        self._post("/v1/embeddings", {"input": [{"image": self._data_url()}]})

    def several(self) -> None:
        again = [f"caption {self._random.randrange(100)}" for _ in range(4)]
        self._post("/v1/embeddings", {"input": [*again, self._data_url()]})

    def classify(self) -> None:
        self._post("/v1/classify", {"pictures": [self._data_url()], "labels": LABELS})

    def search(self) -> None:
        words = {"text": next(self._captions)}
        self._post("/v1/search", {"query": [words], "where": "width > 10", "top": 5})

    def look(self) -> None:
        found = json.loads(self._ask("GET", "/v1/search?q=a%20house&top=3"))["data"]
        for row in found:
            self._ask("GET", row["thumbnail"])

    def page(self) -> None:
        for path in ("/", "/healthz", "/readyz", "/metrics", "/v1/models", "/v1/store"):
            self._ask("GET", path)

    def nonsense(self) -> None:
        self._post("/v1/embeddings", {"input": []}, 400)
        self._post("/v1/embeddings", {"input": [{"image": "AAAA"}]}, 415)
        cut = base64.b64encode(self._random.choice(self._pictures)[:-2000]).decode()
        self._post("/v1/embeddings", {"input": [{"image": cut}]}, 422)
        self._ask("GET", "/v1/pictures/nothing", 404)

    def leave(self) -> None:
        """Ask, and be gone before the answer comes."""
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            connection.sendall(request(self._random.choice(self._pictures)))
            time.sleep(self._random.random() / 5)

    def _data_url(self) -> str:
        picture = base64.b64encode(self._random.choice(self._pictures)).decode()
        return f"data:image/jpeg;base64,{picture}"

    def _post(self, path: str, value: object, expected: int = 200) -> None:
        self._ask("POST", path, expected, json.dumps(value))

    def _ask(self, method: str, path: str, expected: int = 200, body: str | None = None) -> bytes:
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        if answer.status != expected:
            raise Unexpected(f"{method} {path[:60]}: {answer.status} {content[:300]!r}")
        return content


class Traffic:
    """Visitors, each in a thread.

    Attributes:
        latencies: seconds that each deed took.
        errors: what went wrong, and how often.
    """

    def __init__(self, port: int, pictures: list[bytes], clients: int) -> None:
        self._visitors = [Visitor(port, pictures, number) for number in range(clients)]
        self.latencies: list[float] = []
        self.errors: Counter[str] = Counter()

    def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._spend, args=(visitor, until))
            for visitor in self._visitors
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _spend(self, visitor: Visitor, until: float) -> None:
        for deed in itertools.cycle(visitor.deeds()):
            begin = time.monotonic()
            if begin > until:
                return
            try:
                deed()
            except WRONG as error:
                self.errors[f"{type(error).__name__}: {error}"] += 1
            self.latencies.append(time.monotonic() - begin)


def main() -> None:
    port, folder, clients, seconds = sys.argv[2:]
    traffic = Traffic(int(port), jpegs(Path(folder)), int(clients))
    traffic.run(float(seconds))
    for error, count in traffic.errors.items():
        print(f"{count} x {error}", file=sys.stderr)
    found = {
        "requests": len(traffic.latencies),
        "p50 ms": percentile(traffic.latencies, 0.5),
        "p99 ms": percentile(traffic.latencies, 0.99),
        "errors": traffic.errors.total(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
