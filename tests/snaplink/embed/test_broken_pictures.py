"""Good pictures among every kind of broken one: all good ones are embedded, each bad one is logged.

The files are made here; what is wrong with each is its name.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from snaplink.embed import Job, Models, embed
from snaplink.store import Store

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"


def saved(kind: str, mode: str = "RGB", size: tuple[int, int] = (48, 32), **options) -> bytes:
    noise = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes, crc: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(width: int, height: int, data: bytes, depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\x00\x00" + bytes(6) + b",;"


def bmp(width: int, height: int, depth: int = 24) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, depth, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head


def tiff(width: int, height: int) -> bytes:
    tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (279, 100)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\x00" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def without(whole: bytes, marker: bytes) -> bytes:
    """A JPEG without its first segment of this marker."""
    at = whole.index(marker)
    length = int.from_bytes(whole[at + 2 : at + 4], "big")
    return whole[:at] + whole[at + 2 + length :]


def broken() -> dict[str, bytes]:
    """What is wrong, with an ending, to a file's content."""
    jpeg, whole_png = saved("jpeg"), saved("png")
    webp, whole_gif, whole_tiff = saved("webp"), saved("gif"), saved("tiff")
    zeros = zlib.compress(bytes(100))
    middle = len(whole_png) // 2
    files = {
        # Not a picture at all
        "empty.jpg": b"",
        "one byte.jpg": b"\xff",
        "zeros.jpg": bytes(5000),
        "noise.jpg": np.random.default_rng(2).bytes(5000),
        "web page.jpg": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "json error.jpg": b'{"error": "access denied"}',
        "text.png": b"This is not a picture.\n" * 20,
        "utf-16 text.png": "geen plaatje".encode("utf-16"),
        "pdf.jpg": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
        "zip.png": b"PK\x03\x04" + bytes(100),
        "gzip.png": b"\x1f\x8b\x08" + bytes(50),
        "program.jpg": b"\x7fELF\x02\x01\x01" + bytes(100),
        "video.jpg": b"\x00\x00\x00\x20ftypisom" + bytes(100),
        "svg.png": b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9"/></svg>',
        "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
        "git lfs pointer.png": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
        # Cut
        "cut after the magic.jpg": jpeg[:3],
        "cut in the header.jpg": jpeg[:20],
        "cut before the pixels.jpg": jpeg[: jpeg.index(b"\xff\xda")],
        "cut in the pixels.jpg": jpeg[: len(jpeg) // 2],
        "cut after the magic.png": whole_png[:8],
        "cut in the header.png": whole_png[:20],
        "cut in the pixels.png": whole_png[:middle],
        "cut in the header.gif": whole_gif[:9],
        "cut in the pixels.gif": whole_gif[: len(whole_gif) // 2],
        "cut in the header.webp": webp[:16],
        "cut in the pixels.webp": webp[: len(webp) // 2],
        "cut in the header.tif": whole_tiff[:6],
        "cut in the pixels.tif": whole_tiff[:100],
        "cut.bmp": saved("bmp")[:60],
        "cut.ppm": saved("ppm")[:40],
        "cut.tga": saved("tga")[:30],
        "cut.ico": saved("ico", size=(32, 32))[:30],
        # Damaged
        "no end of the first segment.jpg": JPEG_START + b"\xff\xe0\xff\xff",
        "nothing between start and end.jpg": JPEG_START + JPEG_END,
        "no quantisation table.jpg": without(without(jpeg, b"\xff\xdb"), b"\xff\xdb"),
        "no frame.jpg": without(jpeg, b"\xff\xc0"),
        "wrong checksum of the header.png": whole_png[:29] + b"\0\0\0\0" + whole_png[33:],
        "wrong bytes in the pixels.png": whole_png[:middle] + bytes(99) + whole_png[middle + 99 :],
        "pixels that are not packed.png": png(16, 16, b"no zlib"),
        "too few pixels.png": png(200, 200, zeros),
        "impossible depth.png": png(16, 16, zeros, depth=3),
        "impossible colours.png": png(16, 16, zeros, colour=9),
        "no width.png": png(0, 16, zeros),
        "no width.gif": gif(0, 0),
        "no pixels.gif": gif(9, 9),
        "impossible depth.bmp": bmp(9, 9, depth=13),
        "no width.bmp": bmp(0, 0),
        "not a number.ppm": b"P6\nwide high\n255\n",
        "no width.ppm": b"P6\n0 0\n255\n",
        "a list that leads nowhere.tif": b"II*\x00\xff\xff\xff\x00",
        "a list that leads to itself.tif": b"II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00",
        # Harmful
        "bomb.png": png(20_000, 20_000, zeros),
        "enormous bomb.png": png(2**31 - 1, 2**31 - 1, zeros),
        "bomb.gif": gif(65_535, 65_535),
        "bomb.bmp": bmp(60_000, 60_000),
        "bomb.tif": tiff(60_000, 60_000),
        "bomb.ppm": b"P6\n60000 60000\n255\n",
        "a line.png": saved("png", size=(1, 3000)),
    }
    if features.check("avif"):
        files["cut.avif"] = saved("avif")[:100]
    if features.check("jpg_2000"):
        files["cut.jp2"] = saved("jpeg2000")[:60]
    return files


def good() -> Iterator[tuple[str, bytes]]:
    """Unusual ones that are whole."""
    yield "plain.jpg", saved("jpeg")
    yield "progressive.jpg", saved("jpeg", progressive=True)
    yield "grey.jpg", saved("jpeg", "L")
    yield "ink.jpg", saved("jpeg", "CMYK")
    yield "more after the end.jpg", saved("jpeg") + bytes(1000)
    yield "a png by another name.jpg", saved("png")
    yield "palette.png", saved("png", "P")
    yield "black and white.png", saved("png", "1")
    yield "transparent.png", saved("png", "RGBA")
    yield "sixteen bits.png", saved("png", "I;16")
    yield "one pixel.png", saved("png", size=(1, 1))
    yield "plain.webp", saved("webp")
    yield "plain.gif", saved("gif")
    yield "plain.tif", saved("tiff")
    yield "packed.tif", saved("tiff", compression="tiff_lzw")
    yield "floats.tif", saved("tiff", "F")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for name, content in [*broken().items(), *good()]:
        (folder / name).write_bytes(content)
    (folder / "a folder.jpg").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "a pipe.jpg")
        (folder / "a link to nothing.jpg").symlink_to(folder / "gone.jpg")
        (folder / "a link to itself.jpg").symlink_to(folder / "a link to itself.jpg")
    return folder


def test_all_good_ones_are_embedded_and_each_bad_one_is_logged_with_its_reason(corpus, tmp_path):
    summary = embed([corpus], tmp_path / "store", Models("tiny"), Job(workers=2, limit=60))
    store = Store.open(tmp_path / "store")
    names = {Path(key).name for key in store.table(["key"])["key"].to_pylist()}
    assert names == {name for name, _ in good()}
    assert np.isfinite(store.to_numpy()).all()
    failures = {Path(key).name: reason for key, reason in store.failures().items()}
    bad = {path.name for path in corpus.iterdir() if not path.is_dir()} - names
    assert set(failures) == bad
    assert len(bad) >= 60
    assert all(len(reason) > 10 for reason in failures.values())
    assert summary.failures == len(bad)
    for name, reason in failures.items():
        if "bomb" in name:
            assert reason.startswith(("has over 178,956,970 pixels", "cannot be", "not a picture"))
    assert failures["empty.jpg"] == "an empty file"
    assert failures["web page.jpg"].startswith(
        "not a picture that can be read (it begins with b'<!"
    )
    assert "truncated" in failures["cut in the pixels.jpg"]
    assert failures["a line.png"] == "too narrow (1 x 3000 pixels)"
