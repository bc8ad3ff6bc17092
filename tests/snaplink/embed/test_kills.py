"""A run that is killed, anywhere: after the last resume there is one correct row a picture.

`make test-kills` does this at length: 50 kills among 2,000 pictures, for each engine.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from snaplink.embed import Job, Models, embed
from snaplink.encoder import load_encoder
from snaplink.images import decode
from snaplink.store import Store

KILLS = int(os.environ.get("SNAPLINK_KILLS", "0"))
PICTURES = int(os.environ.get("SNAPLINK_KILL_PICTURES", "120"))


@pytest.fixture(scope="module")
def crowd(tmp_path_factory) -> Path:
    """A folder of different pictures."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("crowd")
    noise = np.random.default_rng(0)
    for number in range(PICTURES):
        values = noise.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(values).resize((320, 240), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:04}.jpg")
    return folder


def start(crowd: Path, store: Path, engine: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "snaplink", "embed", str(crowd), "--out", str(store)]
    options = ["--engine", engine, "--batch-size", "8", "--workers", "1"]
    return subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def rows(store: Path) -> int:
    """Of the manifest alone: this is asked often."""
    try:
        return json.loads((store / "manifest.json").read_bytes())["rows"]
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize(("engine", "kills"), [("local", KILLS or 3), ("ray", KILLS or 1)])
def test_one_correct_row_a_picture_after_any_kills(crowd, tmp_path, engine, kills, capsys):
    """Kills hit runs that are not done, from their first moment to their last one.

    A store that is complete before all kills are done is checked, and another one begun.
    """
    chance = random.Random(kills)
    stores, seen = [tmp_path / "0"], []
    while len(seen) < kills:
        if rows(stores[-1]) == PICTURES:
            check(crowd, stores[-1])
            stores.append(tmp_path / f"{len(stores)}")
        before = rows(stores[-1])
        process = start(crowd, stores[-1], engine)
        wait_for_a_moment(process, stores[-1], chance)
        hit = process.poll() is None
        process.kill()
        process.communicate()
        assert rows(stores[-1]) >= before, "rows were lost"
        if hit:
            seen.append(rows(stores[-1]))
    process = start(crowd, stores[-1], engine)
    _, errors = process.communicate()
    assert (process.returncode, b"snaplink:" in errors, b"Traceback" in errors) == (0, False, False)
    check(crowd, stores[-1])
    if KILLS:
        with capsys.disabled():
            print(f"\n{engine}: {kills} kills in {len(stores)} stores, rows after each: {seen}")


def wait_for_a_moment(process: subprocess.Popen[bytes], store: Path, chance: random.Random) -> None:
    """In every second run one before rows are written; else one after some were."""
    if chance.random() < 0.5:
        limit = time.monotonic() + chance.random() * 4
        while process.poll() is None and time.monotonic() < limit:
            time.sleep(0.02)
        return
    goal = rows(store) + chance.randrange(1, max(2, (PICTURES - rows(store)) // 2))
    while process.poll() is None and rows(store) < goal:
        time.sleep(0.02)
    time.sleep(chance.random() * 0.3)


def check(crowd: Path, store: Path) -> None:
    """Exactly the pictures' keys, each with what the model makes of that picture by itself."""
    whole = Store.open(store)
    keys = whole.table(["key"])["key"].to_pylist()
    assert sorted(keys) == sorted(path.as_posix() for path in crowd.iterdir())
    vectors = whole.to_numpy().astype(np.float32)
    encoder = load_encoder("tiny")
    for start in range(0, len(keys), 64):
        pixels = torch.stack([encoder.bulk(decode(key)) for key in keys[start : start + 64]])
        expected = encoder.encode_pixels(pixels, normalize=True).numpy()
        np.testing.assert_allclose(vectors[start : start + 64], expected, atol=1e-3)
    assert whole.failures() == {}
    assert whole.verify() == []


@pytest.mark.filterwarnings("ignore")  # Ray's own, of Ray
def test_a_killed_ray_worker_loses_nothing(crowd, tmp_path):
    """Both kinds of actors are killed in the middle of a run."""
    killed = []

    def kill(summary):
        if summary.embedded and not killed:
            for pid in actors():
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    job = Job(engine="ray", workers=1)
    summary = embed([crowd], tmp_path / "store", Models("tiny", batch_size=8), job, kill)
    assert len(killed) >= 2
    assert (summary.embedded, summary.failures) == (PICTURES, 0)
    check(crowd, tmp_path / "store")


def actors() -> list[int]:
    """Processes of the actors of our own Ray, by the title that it gives them."""
    if not Path("/proc").exists():
        pytest.skip("processes are read from /proc")
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            title = (process / "cmdline").read_bytes()
            ours = parent(parent(int(process.name))) == os.getpid()  # between them is the raylet
        except OSError:
            continue
        if title.startswith(b"ray::") and b"MapWorker" in title and ours:
            found.append(int(process.name))
    return found


def parent(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return int(stat.rpartition(")")[2].split()[1])
