"""Many downloaders of one file, killed ones, several users, and disks without room."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import pytest

from clip.download import fetch, lock, partial
from clip.errors import DownloadError

NBYTES = 300_000
NOBODY = 65534


@pytest.fixture(scope="module")
def content(server):
    return server.content(random.Random(2).randbytes(NBYTES))


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "RN50.pt"


def wanted(base, content, target, **more) -> dict:
    url = f"{base}/{content.path}"
    return {"url": url, "sha256": content.sha256, "target": target, "nbytes": NBYTES, **more}


def test_a_process_killed_at_any_moment_leaves_nothing_wrong(
    server, content, target, start_process
):
    chance = random.Random(3)
    moments = dict.fromkeys(("before", "within", "after"), 0)
    whole = 0.1  # seconds that a download takes, by experience
    while moments["before"] + moments["within"] < 60:
        job = start_process(**wanted(server.play({"slow": 0.002}), content, target))
        time.sleep(chance.uniform(0, whole))
        job.kill()
        parts = list(target.parent.glob("*.partial"))
        if target.exists():
            moments["after"] += 1
            whole *= 0.95
            assert target.read_bytes() == content.data
            target.unlink()
        elif not parts:
            moments["before"] += 1
            whole *= 1.1
        else:
            moments["within"] += 1
            assert content.data.startswith(parts[0].read_bytes())
            if chance.random() < 0.5:  # else the next one, killed too, continues
                assert fetch(**wanted(server.play(), content, target)).read_bytes() == content.data
                target.unlink()
    assert moments["within"] >= 10, f"the moments missed the download: {moments}"
    assert fetch(**wanted(server.play(), content, target)).read_bytes() == content.data


def test_eight_processes_make_one_download(server, content, target, start_process):
    base = server.play({"slow": 0.005})
    jobs = [start_process(**wanted(base, content, target)) for _ in range(8)]
    assert {job.outcome() for job in jobs} == {f"fetched {target}"}
    assert target.read_bytes() == content.data
    assert len(server.log(base)) == 1


def test_eight_threads_make_one_download(server, content, target):
    base = server.play({"slow": 0.005})
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(fetch, **wanted(base, content, target)) for _ in range(8)]
        assert {job.result() for job in jobs} == {target}
    assert len(server.log(base)) == 1


def test_the_others_take_over_from_a_killed_process(server, content, target, start_process):
    base = server.play({"cut": 50_000, "stall": 60}, {})
    first = start_process(**wanted(base, content, target))
    wait_for(lambda: part_size(target) == 50_000)
    others = [start_process(**wanted(base, content, target)) for _ in range(3)]
    first.kill()
    assert {job.outcome() for job in others} == {f"fetched {target}"}
    assert [request.get("range") for request in server.log(base)] == [None, "bytes=50000-"]


def part_size(target: Path) -> int:
    return max((path.stat().st_size for path in target.parent.glob("*.partial")), default=0)


def wait_for(condition) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def test_a_waiting_downloader_says_what_it_waits_for(server, content, target, caplog, monkeypatch):
    monkeypatch.setattr(lock, "_SILENT_WAIT", 0.05)
    base = server.play()
    target.parent.mkdir()
    with filelock.FileLock(f"{target}.lock"):
        waiting = threading.Thread(target=fetch, kwargs=wanted(base, content, target))
        waiting.start()
        wait_for(lambda: "waiting for another download of RN50.pt" in caplog.text)
        assert server.log(base) == []
    waiting.join()
    assert target.read_bytes() == content.data


@pytest.mark.skipif(os.name != "posix", reason="replaces POSIX's flock")
@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(server, content, target, monkeypatch, code):
    def no_flock(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", no_flock)
    base = server.play({"slow": 0.002})
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(fetch, **wanted(base, content, target)) for _ in range(4)]
        assert {job.result() for job in jobs} == {target}
    assert len(server.log(base)) == 1


def test_a_lock_of_a_killed_process_is_broken_where_the_system_has_none(
    server, content, target, start_process
):
    base = server.play({"cut": 50_000, "stall": 60}, {})
    first = start_process(**wanted(base, content, target), without_locks=True)
    wait_for(lambda: part_size(target) == 50_000)
    second = start_process(**wanted(base, content, target), without_locks=True)
    time.sleep(0.1)
    assert len(server.log(base)) == 1
    first.kill()
    assert second.outcome() == f"fetched {target}"


@pytest.mark.parametrize("nbytes", [NBYTES, None])
def test_a_full_disk(server, content, nbytes, small_disk):
    """Whether the size is known before or the disk is found full on the way."""
    target = small_disk / "RN50.pt"
    order = wanted(server.play(), content, target, nbytes=nbytes)
    with pytest.raises(DownloadError, match=r"is full: \d+ bytes are free"):
        fetch(**order)
    assert not target.exists()
    (small_disk / "ballast").unlink()
    assert fetch(**order).read_bytes() == content.data


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 400 kB, half of it taken by the file "ballast"."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system")
    (folder / "ballast").write_bytes(bytes(200_000))
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_on_the_way(server, content, target, monkeypatch, code):
    append = partial.Partial.append

    def append_until_full(self, piece):
        if self.size > 100_000:
            raise OSError(code, os.strerror(code))
        append(self, piece)

    base = server.play()
    with monkeypatch.context() as patched:
        patched.setattr(partial.Partial, "append", append_until_full)
        with pytest.raises(DownloadError, match=r"is full: \d+ bytes are free, and \d+ are needed"):
            fetch(**wanted(base, content, target))
    assert not target.exists()
    assert part_size(target) > 100_000
    assert fetch(**wanted(base, content, target)).read_bytes() == content.data
    assert server.log(base)[1]["range"].startswith("bytes=1")


@pytest.fixture
def shared():
    """A directory that any user can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to act as several users"
)


@as_root
def test_a_read_only_cache_serves_the_file_that_it_has(server, content, shared, start_process):
    cache = shared / "cache"
    cache.mkdir(mode=0o755)
    target = cache / "RN50.pt"
    target.write_bytes(content.data)
    order = wanted("http://127.0.0.1:1", content, target)
    assert start_process(**order, user=NOBODY, folder=shared).outcome() == f"fetched {target}"
    assert [path.name for path in cache.iterdir()] == ["RN50.pt"]


@as_root
def test_a_read_only_cache_without_the_file_says_what_to_do(server, content, shared, start_process):
    cache = shared / "cache"
    cache.mkdir(mode=0o755)
    order = wanted(server.play(), content, cache / "RN50.pt")
    outcome = start_process(**order, user=NOBODY, folder=shared).outcome()
    assert outcome.startswith("DownloadError")
    assert "cannot be used" in outcome
    assert "CLIP_CACHE" in outcome


@as_root
@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_users_share_a_cache(server, content, shared, start_process, mode):
    cache = shared / "cache"
    cache.mkdir()
    cache.chmod(mode)
    target = cache / "RN50.pt"
    base = server.play({"cut": 50_000, "stall": 60}, {})
    first = start_process(**wanted(base, content, target), user=NOBODY, folder=shared)
    wait_for(lambda: part_size(target) == 50_000)
    first.kill()
    jobs = [
        start_process(**wanted(base, content, target), user=user, folder=shared)
        for user in (NOBODY, NOBODY - 1, NOBODY)
    ]
    outcomes = {job.outcome() for job in jobs}
    if mode == 0o777:
        assert outcomes == {f"fetched {target}"}
    else:  # one's part cannot be another's to remove there; the owner's download ends well
        assert f"fetched {target}" in outcomes
    assert target.read_bytes() == content.data
    assert (
        start_process(**wanted(base, content, target), user=NOBODY - 2, folder=shared).outcome()
        == f"fetched {target}"
    )


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links and pipes")
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_trap_in_the_partial_files_place_is_stepped_over(server, content, target, kind, tmp_path):
    target.parent.mkdir()
    path = target.with_name(f"RN50.pt.{content.sha256[:8]}.partial")
    victim = tmp_path / "precious"
    victim.write_bytes(b"mine")
    if kind == "link":
        path.symlink_to(victim)
    else:
        os.mkfifo(path)
    assert fetch(**wanted(server.play(), content, target)).read_bytes() == content.data
    assert victim.read_bytes() == b"mine"
    assert target.is_file()
    assert not target.is_symlink()
