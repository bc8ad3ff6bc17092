"""Picture files put together from their parts, so that any part can be a lie."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"


def saved(kind: str, mode: str = "RGB", size: tuple[int, int] = (48, 32), **options) -> bytes:
    """A good file of noise, the same at each call."""
    noise = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


# JPEG


def segment(marker: int, data: bytes, length: int | None = None) -> bytes:
    told = len(data) + 2 if length is None else length
    return bytes([0xFF, marker]) + struct.pack(">H", told) + data


def frame(width: int, height: int, kind: int = 0xC0, depth: int = 8, components: int = 1) -> bytes:
    parts = b"".join(bytes([number + 1, 0x11, 0]) for number in range(components))
    return segment(kind, struct.pack(">BHHB", depth, height, width, components) + parts)


def scan(first: int = 0, last: int = 63, approximation: int = 0) -> bytes:
    return segment(0xDA, bytes([1, 1, 0, first, last, approximation]))


def jpeg(*segments: bytes) -> bytes:
    quantisation = segment(0xDB, bytes([0] + [1] * 64))
    return JPEG_START + quantisation + b"".join(segments) + JPEG_END


def with_segment(whole: bytes, marker: int, data: bytes, length: int | None = None) -> bytes:
    """A JPEG with one more segment, right at its start."""
    return JPEG_START + segment(marker, data, length) + whole[2:]


def without(whole: bytes, marker: bytes) -> bytes:
    """A JPEG without its first segment of this marker."""
    at = whole.index(marker)
    length = int.from_bytes(whole[at + 2 : at + 4], "big")
    return whole[:at] + whole[at + 2 + length :]


def overwritten(whole: bytes, after: bytes, offset: int, data: bytes) -> bytes:
    """The file with other bytes at an offset from the first place where `after` stands."""
    at = whole.index(after) + offset
    return whole[:at] + data + whole[at + len(data) :]


def exif(entries: bytes, count: int, following: int = 0) -> bytes:
    """The content of an APP1 segment: a list of tags, and where the next list is."""
    head = b"Exif\0\0II*\0" + struct.pack("<IH", 8, count)
    return head + entries + struct.pack("<I", following)


def tag(number: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", number, kind, count, value)


# PNG


def chunk(kind: bytes, data: bytes, checksum: int | None = None) -> bytes:
    told = zlib.crc32(kind + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", told)


def png(
    width: int, height: int, data: bytes, depth: int = 8, colour: int = 2, before: bytes = b""
) -> bytes:
    """A PNG with this packed data, whatever it is, and chunks before it."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def black_png(side: int, before: bytes = b"") -> bytes:
    """A good one, of any size, in few bytes: a bit a pixel."""
    rows = zlib.compress(bytes((side + 7) // 8 + 1) * side, 9)
    return png(side, side, rows, depth=1, colour=0, before=before)


# Others


def gif(width: int, height: int) -> bytes:
    screen = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\x00\x00" + bytes(6)
    return screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x00;"


def bmp(width: int, height: int, depth: int = 24) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, depth, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head


def tiff(width: int, height: int, *more: tuple[int, int]) -> bytes:
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 279: 100, **dict(more)}
    entries = b"".join(tag(number, 4, 1, tags[number]) for number in sorted(tags))
    return b"II*\x00" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = b"".join(kind + struct.pack("<I", len(data)) + data for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WEBP" + parts


def canvas(width: int, height: int, flags: int = 0) -> tuple[bytes, bytes]:
    """The extended header of a WebP."""
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes([flags, 0, 0, 0]) + sizes


def box(kind: bytes, data: bytes, length: int | None = None) -> bytes:
    """A box of AVIF, JPEG 2000 and videos."""
    return struct.pack(">I", len(data) + 8 if length is None else length) + kind + data


def qoi(width: int, height: int) -> bytes:
    return b"qoif" + struct.pack(">IIBB", width, height, 3, 0)


def tga(width: int, height: int, kind: int = 10) -> bytes:
    return struct.pack("<BBBHHBHHHHBB", 0, 0, kind, 0, 0, 0, 0, 0, width, height, 24, 0)


def ico(*directory: tuple[int, bytes]) -> bytes:
    """An icon with these sides and contents."""
    head, place = struct.pack("<HHH", 0, 1, len(directory)), 6 + 16 * len(directory)
    contents = b""
    for side, content in directory:
        at = place + len(contents)
        head += struct.pack("<BBBBHHII", side, side, 0, 0, 1, 32, len(content), at)
        contents += content
    return head + contents
