"""A server with the built-in model: in this process, and in one of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from snaplink.encoder import ClipEncoder, load_encoder
from snaplink.serve.app import create_app
from snaplink.serve.settings import Settings

from .process import Running

EXAMPLES = Path(__file__).parents[3] / "examples"

SMALL = Settings(
    workers=1,
    max_inputs=8,
    max_labels=20,
    max_templates=4,
    max_text=1000,
    max_picture=200_000,
    max_body=1_000_000,
    max_pixels=1_000_000,
)
"""Limits that a test reaches in no time."""


@pytest.fixture(scope="session")
def tiny() -> ClipEncoder:
    """The model that is served, to be asked directly."""
    return load_encoder("tiny")


@pytest.fixture(scope="session")
def client(tiny: ClipEncoder) -> Iterator[TestClient]:
    """Who asks a server of low limits, in this process, that is ready."""
    app = create_app(SMALL, load=lambda: tiny)
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as asking:
        wait_until_ready(asking)
        yield asking


def wait_until_ready(asking: TestClient) -> None:
    until = time.monotonic() + 120
    while (answer := asking.get("/readyz")).status_code != 200:
        assert time.monotonic() < until, answer.text
        time.sleep(0.05)


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    """A real `snaplink serve` with the example pictures, without a token."""
    with Running("--workers", "1") as server:
        yield server.ready()


@pytest.fixture(scope="session")
def owl() -> bytes:
    """A picture's file."""
    return (EXAMPLES / "owl.png").read_bytes()
