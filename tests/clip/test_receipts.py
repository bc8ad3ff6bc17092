"""A receipt saves hashing a file again, and is believed only where nobody else had a hand in it."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from pathlib import Path

import pytest

from clip import receipts

DATA = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(DATA).hexdigest()

posix = pytest.mark.skipif(os.name != "posix", reason="receipts are believed on POSIX only")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to change owners"
)


@pytest.fixture
def path(tmp_path) -> Path:
    """A file that was not touched for a while, with no receipt yet."""
    path = tmp_path / "RN50.pt"
    path.write_bytes(DATA)
    path.chmod(0o644)
    return path


@pytest.fixture(autouse=True)
def later(monkeypatch):
    """The clock of the tests is ten seconds ahead of the files', so that these are not fresh."""
    now = time.time_ns
    monkeypatch.setattr("clip.receipts.time.time_ns", lambda: now() + 10_000_000_000)


def is_trusted(path: Path, sha256: str = SHA256) -> bool:
    with path.open("rb") as file:
        return receipts.is_trusted(file, path, sha256)


def verify(path: Path, sha256: str = SHA256) -> bool:
    with path.open("rb") as file:
        return receipts.verify(file, path, sha256)


@posix
def test_a_verified_file_is_recognised(path):
    assert not is_trusted(path)
    assert verify(path)
    assert is_trusted(path)
    assert not is_trusted(path, "0" * 64)


def test_a_wrong_file_gets_no_receipt(path):
    assert not verify(path, "0" * 64)
    assert not receipts.receipt_path(path).exists()


@posix
def test_a_receipt_that_proves_wrong_goes(path):
    verify(path)
    assert not verify(path, "0" * 64)
    assert not is_trusted(path)
    assert not receipts.receipt_path(path).exists()


def test_a_file_without_an_owner_to_tell_is_never_trusted(path, monkeypatch):
    assert verify(path)
    monkeypatch.setattr("clip.receipts.os.name", "nt")
    assert not is_trusted(path)


@posix
@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(DATA[::-1]),
        lambda path: path.write_bytes(DATA + b"x"),
        lambda path: os.truncate(path, 10),
        lambda path: (
            path.with_name("other").write_bytes(DATA[::-1])
            and path.with_name("other").replace(path)
        ),
        lambda path: path.chmod(0o664),
        lambda path: path.chmod(0o646),
    ],
    ids=["rewritten", "appended", "cut", "replaced", "group writes", "others write"],
)
def test_a_changed_file_is_not_recognised(path, change):
    verify(path)
    assert is_trusted(path)
    change(path)
    assert not is_trusted(path)


@posix
@pytest.mark.parametrize("fact", ["size", "mtime_ns", "ctime_ns", "inode", "device"])
def test_every_fact_of_a_receipt_must_hold(path, fact):
    verify(path)
    receipt = receipts.receipt_path(path)
    facts = json.loads(receipt.read_text(encoding="utf-8"))
    facts[fact] += 1
    receipt.write_text(json.dumps(facts), encoding="utf-8")
    assert not is_trusted(path)


@posix
def test_an_equal_file_with_the_old_times_is_not_recognised(path):
    """Size and modification time can be forged; the inode and its change time cannot."""
    verify(path)
    times = path.stat()
    other = path.with_name("other")
    other.write_bytes(DATA[::-1])
    other.replace(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not is_trusted(path)
    path.write_bytes(DATA[::-1])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not is_trusted(path)


@posix
def test_the_open_file_counts_not_the_path(path, tmp_path):
    verify(path)
    other = tmp_path / "other"
    other.write_bytes(DATA)
    with other.open("rb") as file:
        assert not receipts.is_trusted(file, path, SHA256)


@posix
@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_receipt_that_others_can_write_is_not_believed(path, mode):
    verify(path)
    receipts.receipt_path(path).chmod(mode)
    assert not is_trusted(path)


@posix
@as_root
@pytest.mark.parametrize("whose", ["file", "receipt"])
def test_another_users_word_is_not_taken(path, whose):
    verify(path)
    os.chown(path if whose == "file" else receipts.receipt_path(path), 65534, 65534)
    if whose == "file":  # the receipt must not fail for the change time alone
        facts = json.loads(receipts.receipt_path(path).read_text(encoding="utf-8"))
        facts["ctime_ns"] = path.stat().st_ctime_ns
        time.sleep(0.02)
        receipts.receipt_path(path).write_text(json.dumps(facts), encoding="utf-8")
    assert not is_trusted(path)


@posix
@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"sha256": 1}', "\xff"])
def test_a_damaged_receipt_is_not_believed(path, text):
    verify(path)
    receipts.receipt_path(path).write_bytes(text.encode("latin-1"))
    assert not is_trusted(path)
    assert verify(path)
    assert is_trusted(path)


@posix
@pytest.mark.parametrize("trap", ["link", "pipe", "directory"])
def test_a_trap_in_the_receipts_place_does_no_harm(path, tmp_path, trap):
    receipt = receipts.receipt_path(path)
    verify(path)
    true = tmp_path / "true receipt"
    receipt.rename(true)
    if trap == "link":
        receipt.symlink_to(true)
    elif trap == "pipe":
        os.mkfifo(receipt)
    else:
        receipt.mkdir()
    assert not is_trusted(path)
    assert verify(path)


def test_a_receipt_that_cannot_be_written_is_no_error(path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError("read-only")

    monkeypatch.setattr("clip.receipts.os.open", refuse)
    assert verify(path)
    assert not receipts.receipt_path(path).exists()


@posix
def test_a_file_changed_a_moment_ago_gets_no_receipt(path, monkeypatch):
    """Another change within the same tick of a coarse clock would go unseen."""
    monkeypatch.setattr("clip.receipts.time.time_ns", lambda: path.stat().st_ctime_ns + 1_000_000)
    assert verify(path)
    assert not receipts.receipt_path(path).exists()


@posix
def test_a_receipt_no_younger_than_the_files_change_is_not_believed(path):
    verify(path)
    status = path.stat()
    os.utime(receipts.receipt_path(path), ns=(0, status.st_ctime_ns))
    assert not is_trusted(path)


@posix
def test_a_file_that_changes_while_it_is_hashed_gets_no_receipt(path):
    with path.open("rb") as file:
        assert receipts.verify(file, path, SHA256, lambda _: os.utime(path))
    assert not receipts.receipt_path(path).exists()


@posix
def test_a_fresh_download_is_recognised_at_once(path):
    with path.open("rb") as file:
        receipts.write(file, path, SHA256)
    assert is_trusted(path)


def test_hashing_leaves_the_files_position_alone(path):
    with path.open("rb") as file:
        file.seek(7)
        assert receipts.sha256_of(file) == SHA256
        assert file.tell() == 7


def test_hashing_without_positional_reads(path, monkeypatch):
    monkeypatch.delattr("clip.receipts.os.pread", raising=False)
    with path.open("rb") as file:
        file.seek(7)
        assert receipts.sha256_of(file) == SHA256
        assert file.tell() == 7


def test_several_threads_hash_one_open_file(path):
    with path.open("rb") as file:
        found: list[str] = []
        threads = [
            threading.Thread(target=lambda: found.append(receipts.sha256_of(file)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [SHA256] * 4


def test_progress_tells_the_bytes_so_far(path):
    told: list[int] = []
    with path.open("rb") as file:
        receipts.sha256_of(file, told.append)
    assert told == sorted(told)
    assert told[-1] == len(DATA)


def test_no_file_is_no_right_file(tmp_path):
    assert not receipts.verify_path(tmp_path / "none", SHA256)


def test_a_cut_file_is_told_by_its_size(path, monkeypatch):
    monkeypatch.setattr("clip.receipts.sha256_of", lambda *_: pytest.fail("hashed in vain"))
    assert not receipts.verify_path(path, SHA256, len(DATA) + 1)
