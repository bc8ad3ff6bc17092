"""All hostile uploads against one running server: each is refused, and nobody else notices."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from .uploads.corpus import Attack, attacks, harmless
from .uploads.wire import Answer, get, post_json, send

AT_ONCE = 4
GOOD = ["a cat", "a dog"]


@dataclass(frozen=True)
class Server:
    """A running `snaplink serve`."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    def metric(self, name: str) -> float:
        text = send(self.port, get("/metrics")).body.decode()
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        assert found, text
        return float(found[1])

    def decoders(self) -> set[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in children.read_text(encoding="utf-8").split()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("attacked")
    log = folder / "log"
    command = [sys.executable, "-m", "snaplink", "serve", "--port", "0", "--workers", "2"]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stderr=file, cwd=folder)
    try:
        yield Server(process, _port(process, log), folder)
    finally:
        process.terminate()
        code = process.wait(120)
    said = log.read_text(encoding="utf-8")
    assert code == 0, said
    assert "Traceback" not in said.replace("\\n", "\n"), said


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    while process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines(keepends=True):
            if '"ready"' in line and line.endswith("\n"):
                return int(json.loads(line)["url"].rpartition(":")[2].rstrip("/"))
        time.sleep(0.1)
    raise AssertionError(log.read_text(encoding="utf-8"))


class Good:
    """One who asks for the same all the time; a context."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stopping = False
        self._thread = threading.Thread(target=self._ask)
        self.answers: list[Answer] = []

    def _ask(self) -> None:
        requests = [post_json("/v1/embeddings", {"input": GOOD}), harmless()["picture with plain"]]
        while not self._stopping:
            self.answers += [send(self._port, request) for request in requests]

    @property
    def asks(self) -> bool:
        """Has nothing gone wrong so far?"""
        return self._thread.is_alive()

    def __enter__(self) -> Good:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._thread.join()


def problem(server: Server, attack: Attack) -> str | None:
    """What is wrong with the answer to an attack."""
    try:
        answer = send(server.port, attack.request)
        found = next(_faults(attack, answer), None)
    except (OSError, ValueError, LookupError) as error:
        return f"{attack.name}: {type(error).__name__}: {error}"
    return found and f"{attack.name}: {found}: {answer.body[:200]!r}"


def _faults(attack: Attack, answer: Answer) -> Iterator[str]:
    if answer.status not in attack.statuses:
        yield f"status {answer.status}, not one of {attack.statuses}"
    if b"Traceback" in answer.body or b"site-packages" in answer.body:
        yield "it tells of our code"
    if attack.in_our_form:
        message = str(answer.error()["message"])
        if not re.search(attack.says, message, re.IGNORECASE):
            yield f"the reason does not say {attack.says!r}"
        if not 10 < len(message) < 1000 or not message.isprintable():
            yield "the reason is nothing to read"
        if b"nosniff" not in answer.head:
            yield "the strict headers are not there"


def test_every_attack_is_refused_with_a_reason_and_nobody_else_notices(server: Server) -> None:
    found = attacks()
    assert len({attack.name.partition(", ")[0] for attack in found}) >= 50
    with Good(server.port) as good, ThreadPoolExecutor(AT_ONCE) as threads:
        problems = list(filter(None, threads.map(lambda each: problem(server, each), found)))
    assert not problems, "\n".join(problems)
    assert server.process.poll() is None
    assert len(good.answers) >= 20
    assert {answer.status for answer in good.answers} == {200}
    for same in (good.answers[::2], good.answers[1::2]):
        for each in same:
            assert each.numbers() == pytest.approx(same[0].numbers(), abs=1e-5)
    assert server.metric("snaplink_requests_in_flight") == 1  # the one that asks
    assert sorted(path.name for path in server.folder.iterdir()) == ["log"]


def test_what_only_looks_bad_is_answered_as_the_plain_picture(server: Server) -> None:
    requests = harmless()
    for name, request in requests.items():
        plain = send(server.port, requests[f"{name.partition(' with ')[0]} with plain"])
        answer = send(server.port, request)
        assert answer.status == 200, (name, answer.body)
        assert answer.numbers() == pytest.approx(plain.numbers(), abs=1e-5), name


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are found in /proc")
def test_decoders_that_are_killed_cost_no_request(server: Server) -> None:
    before = server.decoders()
    restarts = server.metric("snaplink_decoder_restarts_total")
    with Good(server.port) as good:
        for pid in before:
            os.kill(pid, signal.SIGKILL)
            count = len(good.answers)
            until(lambda count=count: len(good.answers) >= count + 6 or not good.asks)
    assert {answer.status for answer in good.answers} == {200}
    assert server.process.poll() is None
    assert len(before) == 2
    until(lambda: not before & server.decoders())
    until(lambda: server.metric("snaplink_decoder_restarts_total") >= restarts + len(before))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
