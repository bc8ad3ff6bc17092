"""A crash at any step of the file system leaves exactly one right row a key."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from subprocess import PIPE
from types import SimpleNamespace
from typing import Any, BinaryIO

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snaplink.errors import StoreError
from snaplink.store import Store, Writer, files

Writers = Callable[..., Writer]
Rows = Callable[..., pa.Table]
Versions = Callable[[Store], dict[str, int]]


class Crash(BaseException):
    """The machine stops here."""


class Disk:
    """Stands for the system calls of a store's files, and stops at a given one for good."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: Callable[[], BaseException]) -> None:
        self.steps = 0
        self.stop_at = -1
        self._error = error
        kept = {name: getattr(os, name) for name in ("open", "close", "O_RDONLY", "name")}
        counted = {name: self._counted(getattr(os, name)) for name in ("replace", "unlink")}
        fsync = self._counted(lambda descriptor: None)  # real ones only take time
        monkeypatch.setattr(files, "os", SimpleNamespace(**kept, **counted, fsync=fsync))
        write = files._Hashing.write
        monkeypatch.setattr(files._Hashing, "write", self._half_written(write))

    def step(self) -> None:
        if 0 <= self.stop_at <= self.steps:
            raise self._error()
        self.steps += 1

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self.step()
            return function(*arguments)

        return counted

    def _half_written(self, write: Callable[..., int]) -> Callable[..., int]:
        def half_written(file: BinaryIO, data: bytes) -> int:
            if file.tell() == 0:
                try:
                    self.step()
                except BaseException:
                    write(file, bytes(data)[: len(data) // 2])
                    raise
            return write(file, data)

        return half_written


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compaction in small stores, and commits only when they are asked for."""
    monkeypatch.setattr("snaplink.store.compaction._TOLERATED", 2)
    monkeypatch.setattr("snaplink.store.writer._PAUSE", float("inf"))


Step = tuple[str, Sequence[str], int]

LIFE: list[Step] = [
    ("append", "abc", 0),
    ("flush", "", 0),
    ("append", "bd", 1),
    ("fail", "x", 0),
    ("flush", "", 0),
    ("delete", "a", 0),
    ("append", "e", 2),
    ("reopen", "", 0),
    ("append", "xbf", 3),
    ("fail", "c", 0),
    ("flush", "", 0),
    ("append", "gh", 4),
    ("reopen", "", 0),
]


class Life:
    """Runs steps on a store, and knows which states it may be in after a crash."""

    def __init__(self, writer: Writers, rows: Rows) -> None:
        self._writer, self._rows = writer, rows
        self._state: dict[str, int] = {}
        self.possible: list[dict[str, int]] = [{}]
        self._store: Writer | None = None

    def run(self, steps: Sequence[Step]) -> None:
        try:
            self._store = self._writer(rows_per_shard=4)
            for step in steps:
                self._take(*step)
            self._close()
        finally:
            if self._store is not None:
                with suppress(Crash, StoreError, OSError):
                    self._store.close()

    def _take(self, name: str, keys: Sequence[str], version: int) -> None:
        assert self._store is not None
        if name == "append" and keys:
            self._becomes({**self._state, **dict.fromkeys(keys, version)})
            self._store.append(self._rows(list(keys), version))
        elif name in ("delete", "fail"):
            self._becomes({k: v for k, v in self._state.items() if k not in keys})
            if name == "delete":
                self._store.delete(keys)
            else:
                for key in keys:
                    self._store.fail(key, "bad")
        elif name == "flush":
            self._store.flush()
            self.possible = [self._state]
        elif name == "reopen":
            self._close()
            self._store = self._writer(rows_per_shard=4)

    def _close(self) -> None:
        assert self._store is not None
        self._store.close()
        self.possible = [self._state]

    def _becomes(self, state: dict[str, int]) -> None:
        self._state = state
        self.possible.append(state)


def assert_sound(life: Life, path: Path, writer: Writers, versions: Versions) -> None:
    """After a crash: for a reader at once, and for the next writer, who leaves nothing about."""
    if (path / "manifest.json").exists():
        assert versions(Store.open(path)) in life.possible
    with writer(rows_per_shard=4) as store:
        known = {key: stamp.size for key, stamp in store.known().items()}
    read = Store.open(path)
    assert versions(read) == known
    assert known in life.possible
    names = {shard.name for shard in read.manifest.shards}
    for folder, ending in (("shards", "parquet"), ("vectors", "image.npy")):
        files_there = {file.name for file in (path / folder).iterdir()}
        assert files_there == {f"{name}.{ending}" for name in names}
    assert {file.name for file in path.iterdir()} <= {
        "manifest.json",
        "shards",
        "vectors",
        "failures.parquet",
        "writer.lock",
    }


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch, Crash)


def test_a_crash_at_every_step(
    path: Path, tmp_path: Path, writer: Writers, rows: Rows, versions: Versions, crashing: Disk
):
    Life(writer, rows).run(LIFE)
    total = crashing.steps
    assert total > 60
    for step in range(total):
        path.rename(tmp_path / f"before {step}")
        crashing.steps, crashing.stop_at = 0, step
        life = Life(writer, rows)
        with pytest.raises(Crash):
            life.run(LIFE)
        crashing.stop_at = -1
        assert_sound(life, path, writer, versions)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["append", "append", "flush", "flush", "delete", "fail", "reopen"]),
        st.lists(st.sampled_from("abcdefghij"), max_size=5, unique=True),
        st.integers(1, 9),
    ),
    min_size=3,
    max_size=30,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, stop_at=st.integers(0, 250))
def test_a_crash_at_any_moment_of_any_life(
    tmp_path_factory: pytest.TempPathFactory,
    writer: Writers,
    rows: Rows,
    versions: Versions,
    crashing: Disk,
    steps: list[Step],
    stop_at: int,
):
    path = tmp_path_factory.mktemp("life") / "store"
    opened = partial(Writer, path, *writer.args[1:], **writer.keywords)
    crashing.steps, crashing.stop_at = 0, stop_at
    life = Life(opened, rows)
    with suppress(Crash):
        life.run(steps)
    crashing.stop_at = -1
    assert_sound(life, path, opened, versions)


def test_a_full_disk_is_told_and_what_was_there_is_safe(
    path: Path, tmp_path: Path, writer: Writers, rows: Rows, versions: Versions, monkeypatch: Any
):
    disk = Disk(monkeypatch, lambda: OSError(errno.ENOSPC, "No space left on device", "a file"))
    Life(writer, rows).run(LIFE)
    for step in range(0, disk.steps, 3):
        path.rename(tmp_path / f"before {step}")
        disk.steps, disk.stop_at = 0, step
        life = Life(writer, rows)
        with pytest.raises((StoreError, OSError), match="No space left"):
            life.run(LIFE)
        disk.stop_at = -1
        assert_sound(life, path, writer, versions)


def test_after_a_failed_commit_a_writer_takes_nothing_more(
    path: Path, writer: Writers, rows: Rows, versions: Versions, monkeypatch: pytest.MonkeyPatch
):
    disk = Disk(monkeypatch, lambda: OSError(errno.ENOSPC, "No space left on device"))
    with writer() as store:
        store.append(rows(["a"]))
        store.append(rows(["b"]))
        disk.steps = disk.stop_at = 0
        with pytest.raises(StoreError, match=r"1 rows of .* are safe"):
            store.flush()
        disk.stop_at = -1
        with pytest.raises(StoreError, match="open it again"):
            store.append(rows(["c"]))
    assert versions(Store.open(path)) == {"a": 0}


EMBED = """
import sys
sys.path.insert(0, sys.argv[2])
import conftest
from snaplink.fingerprint import Fingerprint
from snaplink.store import Writer, compaction

compaction._TOLERATED = 4
made_by = Fingerprint("fake", "ab" * 32, {}, {"size": 8}, "fp32", True)
with Writer(sys.argv[1], made_by, dim=4, rows_per_shard=64) as writer:
    known = writer.known()
    print("goes on", flush=True)
    for number in range(240):
        key = f"{number:03}"
        if key not in known or known[key].size == 0 and number % 3 == 0:
            sys.stdin.readline()  # one a row, so that it is not done before it is killed
            print(key, flush=True)
            writer.append(conftest.rows_of([key], version=int(number % 3 == 0 and key in known)))
            if number % 4 == 3:
                writer.flush()
"""


@pytest.mark.parametrize("kills", [5])
def test_killed_again_and_again(path: Path, versions: Versions, kills: int):
    """By the system, which runs no cleaning up. Every third key is embedded twice.

    How far each one gets is counted in rows: however fast the machine, none is done before.
    """
    random = Random(0)
    command = [sys.executable, "-c", EMBED, str(path), str(Path(__file__).parent)]
    for _ in range(kills):
        with subprocess.Popen(command, stdin=PIPE, stdout=PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline()
            for _ in range(random.randrange(40)):
                process.stdin.write(b"\n")
                process.stdin.flush()
                assert process.stdout.readline()
            time.sleep(random.uniform(0, 0.01))
            process.kill()
            assert process.wait() != 0
        versions(Store.open(path))
    for _ in range(2):  # the rest, and then the second version of what had none
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    final = versions(Store.open(path))
    assert final == {f"{number:03}": int(number % 3 == 0) for number in range(240)}
