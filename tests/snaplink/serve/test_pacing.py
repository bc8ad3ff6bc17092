"""Refusals that wait, on a clock of our own."""

from __future__ import annotations

import asyncio

import pytest

from snaplink.serve import pacing
from snaplink.serve.pacing import Pacing


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class Visits:
    """Asks a paced application that answers with the status that is wanted."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.paced = Pacing(self.app)

    @staticmethod
    async def app(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": scope["status"], "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def seconds(self, status: int) -> float:
        """How long the answer was held back."""
        sent = []

        async def send(message) -> None:
            sent.append(message["type"])

        before = self.clock.now
        asyncio.run(self.paced({"type": "http", "status": status}, None, send))
        assert sent == ["http.response.start", "http.response.body"]
        return self.clock.now - before


@pytest.fixture
def visits(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(pacing.time, "monotonic", clock.monotonic)
    monkeypatch.setattr(pacing.asyncio, "sleep", clock.sleep)
    return Visits(clock)


def test_some_refusals_wait_for_nothing(visits):
    assert sum(visits.seconds(status) for status in [400, 413, 415, 422] * 10) == 0


def test_one_client_after_another_is_refused_thirty_times_a_second(visits):
    for _ in range(100):
        visits.seconds(400)
    before = visits.clock.now
    for _ in range(300):
        visits.seconds(422)
    assert visits.clock.now - before == pytest.approx(10)


def test_none_waits_for_more_than_a_second(visits, monkeypatch):
    held = []

    async def note(seconds: float) -> None:  # as if all were asked for at the same moment
        held.append(seconds)

    monkeypatch.setattr(pacing.asyncio, "sleep", note)
    for _ in range(1000):
        visits.seconds(400)
    assert 0.9 < max(held) <= 1


def test_good_answers_and_our_own_faults_never_wait(visits):
    for _ in range(200):
        visits.seconds(400)
    assert sum(visits.seconds(status) for status in [200, 304, 500, 503, 504] * 10) == 0


def test_a_pause_makes_up_for_all(visits):
    for _ in range(200):
        visits.seconds(400)
    visits.clock.now += 10
    assert visits.seconds(400) == 0


def test_a_fast_client_with_some_bad_pictures_is_not_held_up(visits):
    for _ in range(1000):  # in no time
        assert [visits.seconds(status) for status in (200, 200, 200, 200, 422)] == [0] * 5
