"""A decoder that hangs or crashes costs its picture; nobody outlives who started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from snaplink.embed.decoders import Decoders
from snaplink.embed.items import Decoded, Failed, Item
from snaplink.embed.places import File
from snaplink.embed.reading import Reader

MISCHIEF = """
import os, time
from pathlib import Path
import torch

class Mischief:
    "What it does depends on the width of the picture; the folder remembers whom it crashed."

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, picture):
        print("noise on standard output")
        if picture.width == 2:
            time.sleep(1000)
        if picture.width == 3:
            os._exit(3)
        if picture.width == 4 and not Path(self.folder, "crashed").exists():
            Path(self.folder, "crashed").touch()
            os.kill(os.getpid(), 9)
        return torch.full((3, 2, 2), picture.width, dtype=torch.uint8)
"""


@pytest.fixture
def mischief(tmp_path, monkeypatch):
    (tmp_path / "mischief.py").write_text(MISCHIEF, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    from mischief import Mischief

    yield Reader(Mischief(str(tmp_path)))
    sys.modules.pop("mischief")


def item(folder: Path, name: str, width: int) -> Item:
    from PIL import Image

    path = folder / f"{name}.png"
    Image.new("RGB", (width, 5)).save(path)
    return Item(name, File(str(path)))


def test_each_bad_one_fails_with_its_reason_and_all_good_ones_are_read(tmp_path, mischief):
    widths = {"hangs": 2, "crashes": 3, "killed once": 4} | {f"good {n}": 5 for n in range(8)}
    items = [item(tmp_path, name, width) for name, width in widths.items()]
    items.insert(5, Item("nothing", File(str(tmp_path / "nothing.png"))))
    with closing(Decoders(2, limit=6)) as decoders:
        decoders.use(mischief)
        outcomes = {result.key: (result, pixels) for result, pixels in decoders.map(iter(items))}
    assert set(outcomes) == {each.key for each in items}
    reasons = {key: each.reason for key, (each, _) in outcomes.items() if isinstance(each, Failed)}
    crash = "code 3" if os.name == "posix" else "code"
    assert reasons["hangs"] == "took longer than 6 seconds"
    assert reasons["crashes"].startswith(f"the decoder crashed ({crash}")
    assert reasons["nothing"] == "no such file"
    assert len(reasons) == 3
    for key, (result, pixels) in outcomes.items():
        if isinstance(result, Decoded):
            assert (result.width, pixels.shape) == (widths[key], (3, 2, 2))
            assert (pixels == widths[key]).all()


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are read from /proc")
def test_processes_end_with_their_parent_even_when_it_is_killed(tmp_path):
    script = (
        "import time; from snaplink.embed.decoders import Decoders; "
        "pool = Decoders(2, 30); print('started', flush=True); time.sleep(100)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline().strip() == b"started"
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text(
            encoding="utf-8"
        )
        pids = [int(pid) for pid in children.split()]
        assert len(pids) == 2
        assert all(map(alive, pids))
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, pids))
