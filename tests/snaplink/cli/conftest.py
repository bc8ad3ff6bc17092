"""The commands as a user types them: quickly inside this process, or for real in their own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image

from clip.registry import OFFICIAL, OfficialModel
from snaplink import zero_shot
from snaplink.cli import snaplink
from snaplink.cli.exits import run
from snaplink.fake_encoder import FakeEncoder


@dataclass
class Ended:
    """A run of a command: its exit code, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def a_house_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, an empty cache, 60 columns, no colours."""
    for name in ("CLIP_MIRROR", "CLIP_OFFLINE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def typed(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run `snaplink ARGUMENTS` in this process."""

    def type_(*arguments: str) -> Ended:
        capfd.readouterr()
        code = run(snaplink, arguments)
        return Ended(code, *capfd.readouterr())

    return type_


@pytest.fixture
def started() -> Callable[..., Ended]:
    """Run `snaplink ARGUMENTS` in a process of its own."""

    def start(*arguments: str, stdin: str = "") -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "snaplink", *arguments],
            env={**os.environ, "PYTHONIOENCODING": "latin-1"},  # ours must be UTF-8 all the same
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return start


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeEncoder:
    """Put the fake encoder in the place of every model."""
    encoder = FakeEncoder()
    monkeypatch.setattr(zero_shot, "load_encoder", lambda *_: encoder)
    return encoder


@pytest.fixture
def pictures(a_house_of_its_own: Path) -> Path:
    """A folder with three pictures, one of them in a folder inside."""
    folder = a_house_of_its_own / "pictures"
    (folder / "more").mkdir(parents=True)
    for name, colour in (("blue.png", "blue"), ("red.png", "red"), ("more/grün.png", "green")):
        Image.new("RGB", (30, 20), colour).save(folder / name)
    return folder


@pytest.fixture
def small_official(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> OfficialModel:
    """RN50 as a file of 100 kB, which a mirror in a folder has."""
    content = bytes(range(256)) * 400
    sha256 = hashlib.sha256(content).hexdigest()
    model = replace(OFFICIAL["RN50"], nbytes=len(content), sha256=sha256)
    monkeypatch.setitem(OFFICIAL, "RN50", model)
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / model.file).write_bytes(content)
    monkeypatch.setenv("CLIP_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("CLIP_OFFLINE", "1")
    return model
