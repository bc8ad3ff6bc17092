"""Stores that are damaged, tampered with, or in use: told, and never believed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snaplink.errors import ArgumentError, StoreError
from snaplink.store import Store, Writer

Writers = Callable[..., Writer]
Rows = Callable[..., pa.Table]
Versions = Callable[[Store], dict[str, int]]


@pytest.fixture
def written(path: Path, writer: Writers, rows: Rows) -> Path:
    """A store of two shards, "a" "b" "c" and "d"."""
    with writer(rows_per_shard=3) as store:
        store.append(rows(["a", "b", "c", "d"]))
    return path


def shard(store: Path, ending: str, number: int = 0) -> Path:
    return sorted(store.glob(f"*/*{ending}"))[number]


def edited(manifest: Path, **changes: Any) -> None:
    content = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps({**content, **changes}), encoding="utf-8")


def test_no_store(tmp_path: Path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "file"):
        with pytest.raises(StoreError, match="is no store"):
            Store.open(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"fingerprint": {}},
        {"fingerprint": None},
        {"dim": -1},
        {"dim": "4"},
        {"dim": True},
        {"dtype": "float64"},
        {"modalities": []},
        {"modalities": ["sound"]},
        {"modalities": 3},
        {"version": "1"},
        {"version": 0},
        {"rows": 5},
        {"shards": [{}]},
        {"shards": None},
        {"shards": ["0000000000-ab"]},
    ],
)
def test_a_damaged_manifest(written: Path, writer: Writers, changes: dict[str, Any]):
    edited(written / "manifest.json", **changes)
    for opened in (lambda: Store.open(written), writer):
        with pytest.raises(StoreError, match=r"manifest.json is damaged"):
            opened()
    assert len(list((written / "shards").iterdir())) == 2


def test_a_manifest_that_names_files_elsewhere(written: Path):
    manifest = written / "manifest.json"
    shards = json.loads(manifest.read_text(encoding="utf-8"))["shards"]
    for name in ("../../etc/passwd", "0000000000-../x", "/etc/passwd", "0-a/b", "-ab"):
        edited(manifest, shards=[{**shards[0], "name": name}], rows=3)
        with pytest.raises(StoreError, match="damaged"):
            Store.open(written)


def test_every_cut_of_a_manifest_is_damage(written: Path):
    manifest = written / "manifest.json"
    whole = manifest.read_bytes()
    for length in range(0, len(whole) - 1, 17):
        manifest.write_bytes(whole[:length])
        with pytest.raises(StoreError, match="damaged"):
            Store.open(written)


def test_json_that_is_no_manifest(written: Path):
    for text in ("[]", "{}", '{"format": "another"}', "3"):
        (written / "manifest.json").write_text(text, encoding="utf-8")
        with pytest.raises(StoreError, match="not the manifest of a snaplink store"):
            Store.open(written)


def test_a_newer_format(written: Path, writer: Writers):
    edited(written / "manifest.json", version=2)
    for opened in (lambda: Store.open(written), writer):
        with pytest.raises(StoreError, match="format 2; this snaplink reads formats up to 1"):
            opened()


def test_shards_whose_manifest_is_lost_are_not_swept_away(written: Path, writer: Writers):
    (written / "manifest.json").unlink()
    with pytest.raises(StoreError, match=r"no manifest.json: restore"):
        writer()
    assert len(list((written / "shards").iterdir())) == 2


def test_a_truncated_shard(written: Path, writer: Writers, rows: Rows):
    path = shard(written, ".parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StoreError, match="damaged"):
        Store.open(written)
    with pytest.raises(StoreError, match="damaged"), writer() as store:
        store.append(rows(["a"]))


def test_a_shard_of_other_rows(written: Path):
    pq.write_table(pq.read_table(shard(written, ".parquet")).slice(1), shard(written, ".parquet"))
    with pytest.raises(StoreError, match="2 rows, not 3"):
        Store.open(written)


def test_a_missing_shard(written: Path):
    shard(written, ".parquet").unlink()
    with pytest.raises(StoreError, match="is missing"):
        Store.open(written)


def test_changed_bytes_in_a_shard_are_found(written: Path):
    path = shard(written, ".parquet")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    faults = Store.open(written).verify()
    assert len(faults) == 1
    assert str(path) in faults[0]


def test_shards_of_another_dtype(written: Path):
    (written / "shards").rename(written / "kept")
    edited(written / "manifest.json", dtype="float32")
    (written / "kept").rename(written / "shards")
    with pytest.raises(StoreError, match=r"vectors of float16, not float32"):
        Store.open(written).to_numpy()


def test_vectors_of_another_width(written: Path):
    edited(written / "manifest.json", dim=5)
    with pytest.raises(StoreError, match="vectors of 5 numbers are wanted"):
        Store.open(written).to_numpy()


def spoil_nothing(path: Path) -> None:
    path.unlink()


def spoil_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def spoil_all(path: Path) -> None:
    path.write_bytes(b"\x00" * 200)


def spoil_empty(path: Path) -> None:
    path.write_bytes(b"")


def spoil_pickled(path: Path) -> None:
    np.save(path, np.array([{}], object), allow_pickle=True)


def spoil_shape(path: Path) -> None:
    np.save(path, np.load(path)[:, :2])


def spoil_dtype(path: Path) -> None:
    np.save(path, np.load(path).astype(np.float32))


def spoil_order(path: Path) -> None:
    np.save(path, np.asfortranarray(np.load(path)))


def spoil_content(path: Path) -> None:
    np.save(path, np.load(path)[::-1])  # stale: the vectors of other rows


def spoil_link(path: Path) -> None:
    other = path.with_name("elsewhere")
    np.save(other.with_suffix(".npy"), np.load(path) * 0)
    path.unlink()
    path.symlink_to(other.with_suffix(".npy"))


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_nothing,
        spoil_half,
        spoil_all,
        spoil_empty,
        spoil_pickled,
        spoil_shape,
        spoil_dtype,
        spoil_order,
        spoil_content,
        pytest.param(
            spoil_link, marks=pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
        ),
    ],
)
def test_vectors_whose_file_is_wrong_are_read_from_the_shard_and_rebuilt(
    written: Path, writer: Writers, versions: Versions, spoil: Callable[[Path], None]
):
    right = Store.open(written).to_numpy()
    path = shard(written, ".npy")
    before = path.read_bytes()
    spoil(path)
    read = Store.open(written)
    np.testing.assert_array_equal(read.to_numpy(), right)
    np.testing.assert_array_equal(read.vectors().take([3, 0]), right[[3, 0]])
    faults = read.verify()
    assert len(faults) == 1
    assert "can be made anew" in faults[0]
    writer().close()
    assert path.read_bytes() == before
    assert not path.is_symlink()
    versions(Store.open(written))


def test_a_link_in_the_place_of_a_file_to_be_written_is_not_followed(
    written: Path, writer: Writers, rows: Rows, tmp_path: Path
):
    if os.name == "nt":
        pytest.skip("links need a privilege")
    precious = tmp_path / "precious"
    precious.write_text("mine", encoding="utf-8")
    for name in (".manifest.json.tmp", ".failures.parquet.tmp", "failures.parquet"):
        (written / name).symlink_to(precious)
    (written / "failures.parquet").unlink()
    (written / "manifest.json").rename(tmp_path / "manifest")
    (written / "manifest.json").symlink_to(tmp_path / "manifest")
    with writer() as store:
        store.append(rows(["e"]))
        store.fail("x", "bad")
    assert precious.read_text(encoding="utf-8") == "mine"
    assert len(Store.open(written)) == 5


def test_damaged_failures_are_told(written: Path, writer: Writers):
    (written / "failures.parquet").write_bytes(b"PAR1 and no more")
    for opened in (lambda: Store.open(written).failures(), writer):
        with pytest.raises(StoreError, match=r"failures.parquet is damaged: remove it"):
            opened()
    (written / "failures.parquet").unlink()
    writer().close()


def test_two_writers(written: Path, writer: Writers):
    with writer(), pytest.raises(StoreError, match=rf"process {os.getpid()} on .* since"):
        writer()
    writer().close()


HOLD = """
import sys, time
from snaplink.store.lock import WriterLock
from pathlib import Path
lock = WriterLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_killed_writer_keeps_no_lock(written: Path, writer: Writers):
    command = [sys.executable, "-c", HOLD, str(written)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(StoreError, match=f"process {process.pid} "):
            writer()
        process.kill()
    writer().close()


def test_a_file_system_without_locks(
    written: Path, writer: Writers, monkeypatch: pytest.MonkeyPatch
):
    if os.name == "nt":
        pytest.skip("Windows always has them")
    import errno
    import fcntl

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with writer(), pytest.raises(StoreError, match="is being written by"):
        writer()
    writer().close()


def test_a_store_that_may_only_be_read(written: Path, writer: Writers, versions: Versions):
    if os.name == "nt" or os.geteuid() == 0:
        pytest.skip("nothing is read-only to the superuser, nor so on Windows")
    shard(written, ".npy").unlink()
    for folder in (written / "shards", written):
        folder.chmod(0o500)
    try:
        assert len(Store.open(written).to_numpy()) == 4
        with pytest.raises((PermissionError, StoreError)):
            writer()
    finally:
        for folder in (written, written / "shards"):
            folder.chmod(0o700)


def test_other_peoples_directories_are_left_alone(path: Path, writer: Writers):
    path.mkdir()
    (path / "holiday.jpg").touch()
    with pytest.raises(StoreError, match=r"not empty \(it has holiday.jpg\)"):
        writer()
    (path / "holiday.jpg").unlink()
    (path / "shards").mkdir()
    (path / "shards" / "00000.tar").touch()
    with pytest.raises(StoreError, match="restore that from a backup"):
        writer()
    assert (path / "shards" / "00000.tar").exists()


def test_a_file_in_the_place_of_a_store(path: Path, writer: Writers):
    path.touch()
    with pytest.raises(StoreError, match="is a file"):
        writer()


def test_files_that_are_not_ours_are_not_swept(written: Path, writer: Writers):
    notes = written / "shards" / "notes.parquet"
    notes.touch()
    leftover = written / "shards" / "0000000009-abcdef12.parquet"
    leftover.touch()
    writer().close()
    assert notes.exists()
    assert not leftover.exists()


def test_a_reader_keeps_what_it_opened(written: Path, writer: Writers, rows: Rows):
    if os.name == "nt":
        pytest.skip("there the writer cannot remove what is open")
    reader = Store.open(written)
    right = reader.to_numpy().copy()
    late = Store.open(written)
    with writer() as store:
        store.append(rows(["b", "e"], version=1))
        store.delete(["d"])
    for old in (reader, late):
        assert old.table(["key"])["key"].to_pylist() == ["a", "b", "c", "d"]
        np.testing.assert_array_equal(old.to_numpy(), right)
        assert old.take([3, 1], ["key", "size"]).to_pylist() == [
            {"key": "d", "size": 0},
            {"key": "b", "size": 0},
        ]
    assert reader.snapshot != Store.open(written).snapshot


def test_a_reader_that_meets_a_change_reads_the_manifest_again(
    written: Path, writer: Writers, rows: Rows, monkeypatch: pytest.MonkeyPatch
):
    from snaplink.store.manifest import Manifest

    stale = [Manifest.read(written)]
    with writer() as store:
        store.append(rows(["b"], version=1))
    read = Manifest.read
    monkeypatch.setattr(Manifest, "read", lambda path: stale.pop() if stale else read(path))
    assert len(Store.open(written)) == 4


def test_columns_and_rows_that_are_not_there(written: Path):
    store = Store.open(written)
    with pytest.raises(ArgumentError, match="no column 'year'; it has key, source"):
        store.table(["year"])
    with pytest.raises(ArgumentError, match="no text vectors, only image"):
        store.vectors("text")
    for position in (4, -1):
        with pytest.raises(IndexError, match=f"row {position} of 4"):
            store.take([position])
        with pytest.raises(IndexError, match=f"row {position} of 4"):
            store.vectors().take([position])
