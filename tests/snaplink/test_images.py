"""Pictures are found in the order that one expects, and a bad one never stops the good ones."""

from __future__ import annotations

import io
import os
import struct
import threading
import time
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snaplink import images
from snaplink.errors import PictureError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pictures, folders, hidden files and files that are no pictures."""
    for name in ("b.png", "a.JPG", "sub/c.webp", ".hidden.png", ".git/d.png", "sub/deep/e.gif"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    return tmp_path


def names(paths, folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in paths]


def test_a_folder_is_searched_in_order_without_hidden_files(folder):
    expected = ["a.JPG", "b.png", "sub/c.webp", "sub/deep/e.gif"]
    assert names(images.find([folder]), folder) == expected


def test_patterns_are_expanded_where_no_file_has_that_name(folder):
    assert names(images.find([folder / "*.png"]), folder) == ["b.png"]
    assert names(images.find([folder / "**" / "*.gif"]), folder) == ["sub/deep/e.gif"]
    Image.new("RGB", (4, 4)).save(folder / "b[1].png")
    assert names(images.find([folder / "b[1].png"]), folder) == ["b[1].png"]


def test_files_are_taken_as_they_are(folder):
    assert names(images.find([folder / "notes.txt", folder / ".hidden.png"]), folder) == [
        "notes.txt",
        ".hidden.png",
    ]


def test_nothing_found_is_reported_and_the_search_goes_on(folder):
    (folder / "empty").mkdir()
    problems = []
    found = images.find([folder / "empty", folder / "*.bmp", folder / "b.png"], problems.append)
    assert names(found, folder) == ["b.png"]
    assert [(Path(error.picture).name, error.problem) for error in problems] == [
        ("empty", "no picture in this folder"),
        ("*.bmp", "matches nothing"),
    ]


def picture_bytes(tmp_path: Path, kind: str = "png") -> bytes:
    path = tmp_path / f"whole.{kind}"
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path.read_bytes()


def test_damaged_files_say_what_is_wrong(tmp_path):
    whole = picture_bytes(tmp_path)
    damaged = {
        "empty.png": (b"", "an empty file"),
        "page.jpg": (
            b"<!DOCTYPE html><p>",
            "not a picture that can be read (it begins with b'<!DO",
        ),
        "cut.png": (whole[:-200], "cannot be decoded (image file is truncated"),
        "header.png": (whole[:20], "cannot be decoded ("),
        "line.png": (narrow_png(), "too narrow (1 x 3000 pixels)"),
        "bomb.png": (bomb(), "has over 178,956,970 pixels, as decompression"),
    }
    for name, (content, problem) in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(PictureError) as error:
            images.decode(tmp_path / name)
        assert error.value.picture == str(tmp_path / name)
        assert error.value.problem.startswith(problem), name


class Pipe(io.RawIOBase):
    """A file that can only be read onwards, without a name."""

    def __init__(self, content: bytes) -> None:
        self.rest = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self.rest.read(size)


IN_MEMORY = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "file": io.BytesIO,
    "pipe": Pipe,
}


@pytest.mark.parametrize("kind", IN_MEMORY)
def test_bytes_and_open_files_are_pictures_too(tmp_path, kind):
    content = picture_bytes(tmp_path)
    picture = images.decode(IN_MEMORY[kind](content))
    assert picture.tobytes() == images.decode(tmp_path / "whole.png").tobytes()


@pytest.mark.parametrize("kind", IN_MEMORY)
def test_bytes_and_open_files_are_guarded_too(tmp_path, kind):
    contents = {
        b"": "an empty file",
        b"<!DOCTYPE html><p>": "not a picture that can be read (it begins with b'<!DO",
        picture_bytes(tmp_path)[:-200]: "cannot be decoded (image file is truncated",
        narrow_png(): "too narrow (1 x 3000 pixels)",
        bomb(): "has over 178,956,970 pixels, as decompression",
    }
    for content, problem in contents.items():
        with pytest.raises(PictureError) as error:
            images.decode(IN_MEMORY[kind](content), name="photos.tar/cat.png")
        assert error.value.picture == "photos.tar/cat.png"
        assert error.value.problem.startswith(problem)


def test_an_open_file_is_named_and_stays_open_wherever_it_was_read_to(tmp_path):
    content = picture_bytes(tmp_path)
    with (tmp_path / "whole.png").open("rb") as file:
        file.read(100)
        assert images.decode(file).size == (32, 32)
        assert not file.closed
    (tmp_path / "cut.png").write_bytes(content[:40])
    with (
        (tmp_path / "cut.png").open("rb") as file,
        pytest.raises(PictureError) as error,
    ):
        images.decode(file)
    assert error.value.picture == str(tmp_path / "cut.png")


def test_bytes_have_their_length_for_a_name(tmp_path):
    with pytest.raises(PictureError, match="a picture of 2,000 bytes: "):
        images.decode(bytes(2000))


def narrow_png() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (1, 3000)).save(buffer, "png")
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG of a few bytes whose header says 20000 x 20000 pixels."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100)))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def test_the_limit_holds_where_pillow_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    (tmp_path / "bomb.png").write_bytes(bomb())
    with pytest.raises(PictureError, match="has over 178,956,970 pixels"):
        images.decode(tmp_path / "bomb.png")


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(PictureError, match="no such file"):
        images.decode(tmp_path / "missing.png")
    with pytest.raises(PictureError):
        images.decode(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_is_refused_without_waiting_for_its_writer(tmp_path):
    os.mkfifo(tmp_path / "fifo.png")
    with pytest.raises(PictureError, match="not a regular file"):
        images.decode(tmp_path / "fifo.png")


def test_every_truncation_is_a_picture_error(tmp_path):
    path = tmp_path / "cut.png"
    for kind in ("png", "jpg", "gif", "webp", "bmp", "tif"):
        whole = picture_bytes(tmp_path, kind)
        for length in range(0, len(whole), max(1, len(whole) // 40)):
            path.write_bytes(whole[:length])
            with suppress(PictureError):  # some cuts leave a whole picture; no other error may come
                images.decode(path)


def test_upright_turns_as_the_camera_noted(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held sideways
    picture = Image.new("RGB", (20, 10), "red")
    picture.save(tmp_path / "phone.jpg", exif=exif)
    assert images.decode(tmp_path / "phone.jpg").size == (20, 10)
    assert images.decode(tmp_path / "phone.jpg", upright=True).size == (10, 20)


def test_prepared_keeps_order_and_reads_little_ahead():
    taken = []

    def endless():
        number = 0
        while True:
            taken.append(number)
            yield number
            number += 1

    def prepare(number):
        time.sleep(0.001 * (number % 3))
        if number == 2:
            raise PictureError("2", "bad")
        return threading.current_thread() is not threading.main_thread()

    problems = []
    stream = images.prepared(endless(), prepare, problems.append, threads=2)
    assert [next(stream) for _ in range(4)] == [(0, True), (1, True), (3, True), (4, True)]
    assert [str(error) for error in problems] == ["2: bad"]
    assert len(taken) <= 10
    stream.close()


def test_prepared_ends_at_another_error_and_stops_its_threads():
    def prepare(number):
        raise KeyError(number)

    before = threading.active_count()
    with pytest.raises(KeyError):
        list(images.prepared(range(100), prepare, threads=2))
    assert threading.active_count() <= before  # other tests' may end meanwhile


def test_photographs_are_told_from_drawings():
    random = np.random.default_rng(0)
    photograph = Image.fromarray(random.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    drawing = Image.new("RGB", (64, 64), "white")
    drawing.paste("red", (10, 10, 40, 40))
    assert images.looks_like_photograph(photograph)
    assert not images.looks_like_photograph(drawing)
    assert not images.looks_like_photograph(Image.new("1", (1, 1)))
