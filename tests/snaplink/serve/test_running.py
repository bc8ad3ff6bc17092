"""uvicorn begins and ends as it should; the tests of the command have it whole."""

from __future__ import annotations

import signal
import socket
import threading
from pathlib import Path

import httpx
import pytest

from clip.errors import ClipError
from snaplink.embed import Job, embed
from snaplink.serve.listening import address_of, listen
from snaplink.serve.running import Served, run
from snaplink.serve.settings import Settings

OWL = Path(__file__).parents[3] / "examples" / "owl.png"


@pytest.fixture
def sockets():
    found = listen("127.0.0.1", 0)
    yield found
    for each in found:
        each.close()


def test_it_says_what_it_serves_and_ends_at_a_signal(tmp_path, sockets):
    embed([OWL], tmp_path / "owls.store", job=Job(workers=1))
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    told: list[Served] = []
    answers: list[httpx.Response] = []

    def ask() -> None:
        try:
            answers.append(httpx.get(f"{address_of(sockets)}readyz", trust_env=False, timeout=60))
        finally:
            signal.raise_signal(signal.SIGTERM)

    def on_ready(served: Served) -> None:
        told.append(served)
        threading.Thread(target=ask).start()

    run(Settings(store=tmp_path / "owls.store", workers=1), sockets, on_ready)
    assert told == [Served("tiny", "fp32", "owls.store", 1)]
    assert [answer.status_code for answer in answers] == [200]
    assert "server" not in answers[0].headers
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_model_that_cannot_be_loaded_ends_it(sockets: list[socket.socket]):
    with pytest.raises(ClipError, match="no-such-model"):
        run(Settings(model="no-such-model", workers=1), sockets, lambda _: pytest.fail("ready"))
