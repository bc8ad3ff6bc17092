"""Positional reads of one open file."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clip.checkpoint.source import FileSource
from clip.errors import CheckpointError

CONTENT = bytes(range(256)) * 64


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "file.bin").write_bytes(CONTENT)
    return tmp_path / "file.bin"


@pytest.fixture(params=["positional", "without preadv", "in memory"])
def source(request, path: Path, monkeypatch) -> Iterator[FileSource]:
    if request.param == "without preadv":  # as on Windows
        monkeypatch.delattr(os, "preadv", raising=False)
    if request.param == "in memory":
        yield FileSource(io.BytesIO(CONTENT))
        return
    with FileSource(path) as source:
        yield source


def test_reads_any_place(source: FileSource) -> None:
    assert source.size == len(CONTENT)
    assert source.read(1000, 50) == CONTENT[1000:1050]
    assert source.read(len(CONTENT), 0) == b""


@pytest.mark.parametrize("place", [(len(CONTENT), 1), (-1, 5), (0, len(CONTENT) + 1), (2**70, 1)])
def test_places_out_of_the_file_are_errors(source: FileSource, place: tuple[int, int]) -> None:
    with pytest.raises(CheckpointError, match="ends early"):
        source.read(*place)


def test_threads_share_it(source: FileSource) -> None:
    places = [(offset, 33) for offset in range(0, len(CONTENT) - 33, 7)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda place: source.read(*place), places))
    assert found == [CONTENT[offset : offset + length] for offset, length in places]


def test_a_file_of_others_stays_open_where_it_is(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(7)
        with FileSource(file) as source:
            assert source.path == str(path)
            assert source.read(100, 4) == CONTENT[100:104]
        assert file.read(1) == CONTENT[7:8]


def test_a_file_that_shrinks_is_an_error(path: Path) -> None:
    with FileSource(path) as source:
        os.truncate(path, 100)
        with pytest.raises(CheckpointError, match="became shorter"):
            source.read(50, 100)


def test_a_closed_file_is_an_error(path: Path) -> None:
    with FileSource(path) as source:
        pass
    with pytest.raises(CheckpointError, match="reading failed"):
        source.read(0, 1)
