"""Where the cache is, and what the commands see and do in it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import filelock
import pytest

from clip import cache, receipts, registry
from clip.errors import DownloadError, OfflineError

DATA = b"weights" * 1000


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    for name in ("CLIP_CACHE", "CLIP_MIRROR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLIP_OFFLINE", "1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def model(monkeypatch):
    """An official model with small weights."""
    sha256 = hashlib.sha256(DATA).hexdigest()
    model = replace(registry.OFFICIAL["RN50"], nbytes=len(DATA), sha256=sha256)
    monkeypatch.setitem(registry.OFFICIAL, "RN50", model)
    return model


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def cached(folder, model) -> Path:
    path = folder / model.file
    path.write_bytes(DATA)
    return path


# Where it is


def test_the_usual_place(home):
    assert cache.place("RN50.pt") == home / ".cache" / "clip" / "RN50.pt"


def test_the_order_of_places(home, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.place("RN50.pt") == tmp_path / "xdg" / "clip" / "RN50.pt"

    there = home / ".cache" / "clip" / "RN50.pt"
    there.parent.mkdir(parents=True)
    there.touch()
    assert cache.place("RN50.pt") == there
    assert cache.place("RN101.pt") == tmp_path / "xdg" / "clip" / "RN101.pt"

    monkeypatch.setenv("CLIP_CACHE", str(tmp_path / "mine"))
    assert cache.place("RN50.pt") == tmp_path / "mine" / "RN50.pt"
    assert cache.place("RN50.pt", tmp_path / "root") == tmp_path / "root" / "RN50.pt"


def test_empty_and_relative_settings(home, monkeypatch):
    monkeypatch.setenv("CLIP_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.place("RN50.pt", "") == home / ".cache" / "clip" / "RN50.pt"


def test_a_tilde_is_the_home(home):
    assert cache.place("RN50.pt", "~/models") == home / "models" / "RN50.pt"


def test_listing_looks_in_both_usual_places(home, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.folders() == [tmp_path / "xdg" / "clip", home / ".cache" / "clip"]


# What is in it


def states(folder) -> dict[str, str]:
    return {file.path.name: file.state for file in cache.contents(folder)}


def test_an_empty_or_missing_cache(folder):
    assert cache.contents(folder) == []
    assert cache.contents(folder / "missing") == []


def test_files_and_their_states(folder, cached, model):
    (folder / "RN50.pt.12345678.partial").write_bytes(b"we")
    (folder / "RN50.pt.12345678.partial.json").write_bytes(b"{}")
    (folder / "RN50.pt.12345678.broken").write_bytes(b"woe")
    (folder / "RN50.pt.lock").touch()
    (folder / "RN50.pt.mine").touch()
    (folder / "ViT-B-32.pt").write_bytes(b"cut")
    (folder / "notes.txt").touch()
    assert states(folder) == {
        "RN50.pt": "unverified",
        "RN50.pt.12345678.partial": "partial",
        "RN50.pt.12345678.broken": "broken",
        "ViT-B-32.pt": "broken",
    }
    by_name = {file.path.name: file for file in cache.contents(folder)}
    assert by_name["RN50.pt"].model is model
    assert by_name["RN50.pt"].nbytes == len(DATA)
    assert by_name["RN50.pt.12345678.partial"].nbytes == 2


@pytest.mark.skipif(os.name != "posix", reason="receipts are believed on POSIX only")
def test_a_receipt_makes_it_ok(folder, cached, model):
    with cached.open("rb") as file:
        receipts.write(file, cached, model.sha256)
    assert states(folder) == {"RN50.pt": "ok"}


# Verify and obtain


def test_verify_hashes_whatever_the_receipt_says(folder, cached, model):
    told: list[tuple[int, int | None]] = []
    verified = cache.verify(model, folder, progress=lambda *moved: told.append(moved))
    assert verified == cache.CachedFile(model, cached, len(DATA), "ok")
    assert told[-1] == (len(DATA), len(DATA))

    wrong = DATA[::-1]
    cached.write_bytes(wrong)
    with cached.open("rb") as file:
        receipts.write(file, cached, model.sha256)
    assert cache.verify(model, folder).state == "broken"
    assert cached.read_bytes() == wrong, "verify only looks"


def test_verify_of_what_is_not_there(folder, model):
    assert cache.verify(model, folder) is None


def test_a_file_of_the_originals_cache_is_adopted(home, model, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    path = home / ".cache" / "clip" / model.file
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    assert cache.obtain(model) == path


def test_obtain_repairs_from_a_mirror(folder, cached, model, tmp_path):
    cached.write_bytes(DATA[::-1])
    mirror = tmp_path / "mirror"
    (mirror / model.sha256).mkdir(parents=True)
    (mirror / model.sha256 / model.file).write_bytes(DATA)
    assert cache.obtain(model, folder, mirrors=[str(mirror)]) == cached
    assert cached.read_bytes() == DATA
    assert "broken" in states(folder).values()


def test_obtain_repairs_what_verify_found_broken_under_a_receipt(folder, cached, model, tmp_path):
    """A disk that loses bits leaves the receipt as believable as before."""
    cached.write_bytes(DATA[::-1])
    with cached.open("rb") as file:
        receipts.write(file, cached, model.sha256)
    (tmp_path / model.file).write_bytes(DATA)
    assert cache.verify(model, folder).state == "broken"
    cache.obtain(model, folder, mirrors=[str(tmp_path)])
    assert cached.read_bytes() == DATA


def test_obtain_says_what_it_may_not_fetch(folder, model):
    with pytest.raises(OfflineError, match=model.sha256):
        cache.obtain(model, folder)


# Prune and remove


def test_prune_takes_parts_and_broken_files_only(folder, cached, model):
    for name in ("1.partial", "1.partial.json", "2.broken", "mine"):
        (folder / f"RN50.pt.{name}").write_bytes(b"xyz")
    removed = cache.prune(folder)
    assert {file.path.name for file in removed} == {"RN50.pt.1.partial", "RN50.pt.2.broken"}
    left = {path.name for path in folder.iterdir()} - {"RN50.pt.lock"}
    assert left == {"RN50.pt", "RN50.pt.mine"}
    assert cache.prune(folder) == []


def test_prune_keeps_what_is_being_downloaded(folder, model):
    part = folder / "RN50.pt.1.partial"
    part.touch()
    with filelock.FileLock(folder / "RN50.pt.lock"):
        assert cache.prune(folder) == []
    assert part.exists()


def test_remove_takes_all_of_one_model(folder, cached, model):
    (folder / "RN50.pt.1.partial").touch()
    (folder / "RN101.pt").touch()
    with cached.open("rb") as file:
        receipts.write(file, cached, model.sha256)
    removed = cache.remove(model, folder)
    assert [file.path.name for file in removed] == ["RN50.pt", "RN50.pt.1.partial"]
    assert {path.name for path in folder.iterdir()} - {"RN50.pt.lock"} == {"RN101.pt"}
    assert cache.remove(model, folder) == []


def test_remove_waits_for_nobody(folder, cached, model):
    with (
        filelock.FileLock(folder / "RN50.pt.lock"),
        pytest.raises(DownloadError, match="being downloaded"),
    ):
        cache.remove(model, folder)
    assert cached.exists()
