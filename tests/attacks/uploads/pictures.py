"""Files that are no pictures, are more than they seem, end early, or are damaged.

Each has a name that says what is wrong with it, the statuses that are right for it, and what the
reason must say.
"""

from __future__ import annotations

import gzip
import struct
import zlib

import numpy as np
from PIL import features

from . import formats
from .formats import chunk, saved, tag

__all__ = ["Case", "cases", "harmless", "slow"]

Case = tuple[bytes, tuple[int, ...], str]

ZEROS = zlib.compress(bytes(100))
NO_PICTURE = ((415,), "no picture|not a picture|empty|send a JPEG")
TOO_LARGE = ((413,), "pixels")
DAMAGED = ((422,), "")
UNREADABLE = ((415, 422), "")
"""What is damaged so early that it may count as no picture at all."""
TOO_LARGE_OR_DAMAGED = ((413, 415, 422), "")
"""Sizes that a decoder may refuse to read before anybody can compare them with a limit."""


def cases() -> dict[str, Case]:
    kinds = {NO_PICTURE: no_pictures(), TOO_LARGE: bombs(), TOO_LARGE_OR_DAMAGED: odd_bombs()}
    kinds |= {UNREADABLE: cut_early(), DAMAGED: {**cut_late(), **damaged(), **packed_bombs()}}
    return {
        name: (content, statuses, says)
        for (statuses, says), files in kinds.items()
        for name, content in files.items()
    }


def no_pictures() -> dict[str, bytes]:
    return {
        "empty": b"",
        "one byte": b"\xff",
        "zeros": bytes(5000),
        "noise": np.random.default_rng(2).bytes(5000),
        "web page": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
        "svg with a script": b'<svg xmlns="http://www.w3.org/2000/svg"><script>x()</script></svg>',
        "svg with an external entity": b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY e SYSTEM '
        b'"file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg"><text>&e;</text></svg>',
        "svg of a billion laughs": b'<!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">'
        b'<!ENTITY c "&b;&b;&b;&b;">]><svg>&c;</svg>',
        "pdf": b"%PDF-1.7\n1 0 obj\n<</OpenAction 2 0 R>>\nendobj\n",
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n",
        "postscript with a preview": b"\xc5\xd0\xd3\xc6" + struct.pack("<II", 30, 40) + bytes(90),
        "magick vector graphics": b"push graphic-context\nimage over 0,0 0,0 'https://a/|id'\n",
        "text": b"This is not a picture.\n" * 20,
        "text of another width": "geen plaatje".encode("utf-16"),
        "shell script": b"#!/bin/sh\ntouch canary\n",
        "python pickle": b"\x80\x04cos\nsystem\n(X\x05\0\0\0true\ntR.",
        "zip": b"PK\x03\x04" + bytes(100),
        "gzip of a picture": gzip.compress(saved("png")),
        "elf program": b"\x7fELF\x02\x01\x01" + bytes(100),
        "windows program": b"MZ\x90\0" + bytes(200),
        "webassembly": b"\0asm\x01\0\0\0",
        "video": formats.box(b"ftyp", b"isom\0\0\x02\0isomiso2") + bytes(100),
        "git lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
        # Formats that Pillow knows and we do not take: old decoders have old bugs.
        "fli animation": struct.pack("<IHHHHHHI", 128, 0xAF12, 1, 9, 9, 8, 3, 1) + bytes(108),
        "tga of 3600 megapixels": formats.tga(60_000, 60_000),
        "tga with packed pixels beyond its end": formats.tga(90, 90) + b"\xff\x01\x02\x03",
        "pcx": saved("pcx"),
        "sgi": saved("sgi"),
        "dds": saved("dds"),
        "im": b"Image type: RGB image\r\nFile size (no of images): 1\r\n\x1a" + bytes(600),
        "xbm": b"#define x_width 9\n#define x_height 9\nstatic char x_bits[] = {\n0x00 };\n",
        "photoshop": b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 9, 9, 8, 3) + bytes(99),
        "icns": b"icns" + struct.pack(">I", 100) + b"ic07" + bytes(92),
        "windows metafile": b"\xd7\xcd\xc6\x9a" + bytes(60),
    }


def bombs() -> dict[str, bytes]:
    """Whose headers tell of more pixels than anybody has room for."""
    return {
        "png of 400 megapixels": formats.png(20_000, 20_000, ZEROS),
        "png of 122 whole megapixels": formats.black_png(11_050),
        "png of 2 to the power of 62 pixels": formats.png(2**31 - 1, 2**31 - 1, ZEROS),
        "gif of 4 gigapixels": formats.gif(65_535, 65_535),
        "bmp of 3600 megapixels": formats.bmp(60_000, 60_000),
        "tiff of 3600 megapixels": formats.tiff(60_000, 60_000),
        "ppm of 3600 megapixels": b"P6\n60000 60000\n255\n",
        "jpeg of 4 gigapixels": formats.jpeg(formats.frame(65_500, 65_500), formats.scan()),
        "qoi of 3600 megapixels": formats.qoi(60_000, 60_000),
    }


def odd_bombs() -> dict[str, bytes]:
    whole = saved("webp", lossless=True)
    frame = whole[12:]
    kind, data = frame[:4], frame[8:]
    files = {
        "webp canvas of 281 terapixels": formats.webp(
            formats.canvas(1 << 24, 1 << 24), (kind, data)
        ),
        "webp of 268 megapixels": formats.webp((b"VP8L", b"/" + b"\xff\xff\xff\x0f" + bytes(30))),
        "animated webp with a frame beside its canvas": formats.webp(
            formats.canvas(9, 9, flags=2), (b"ANIM", bytes(6)), (b"ANMF", b"\xff" * 16 + frame)
        ),
        "icon with a png bomb": formats.ico((16, formats.png(20_000, 20_000, ZEROS))),
        "ppm with a number of a thousand digits": b"P6\n" + b"9" * 1000 + b" 9\n255\n",
        "tiff with a thousand samples a pixel": formats.tiff(9_000, 9_000, (277, 1000)),
        "a line": saved("png", size=(1, 3000)),
        "bmp as high as a number can be low": formats.bmp(9, -(2**31)),
        "a line of 100000 pixels": formats.png(1, 100_000, zlib.compress(bytes(400_000))),
        "a lying line": formats.png(100_000, 1, ZEROS),
    }
    if features.check("jpg_2000"):
        sizes = struct.pack(">II", 60_000, 60_000)
        stream = formats.overwritten(saved("jpeg2000", no_jp2=True), b"\xff\x51", 6, sizes)
        tiles = formats.overwritten(stream, b"\xff\x51", 22, struct.pack(">II", 1, 1))
        whole = formats.overwritten(saved("jpeg2000"), b"ihdr", 4, sizes)
        files["jpeg 2000 stream of 3600 megapixels"] = stream
        files["jpeg 2000 with a tile for each pixel"] = tiles
        files["jpeg 2000 of 3600 megapixels"] = whole
    if features.check("avif"):
        sizes = struct.pack(">II", 60_000, 60_000)
        files["avif of 3600 megapixels"] = formats.overwritten(saved("avif"), b"ispe", 8, sizes)
    return files


def packed_bombs() -> dict[str, bytes]:
    """Small pictures that carry a lot, packed."""
    much = zlib.compress(bytes(8 << 20), 9)
    comment = chunk(b"iTXt", b"Comment\0\x01\0\0\0" + much)
    many = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1_000_000), 9)) * 90
    return {
        "png with a packed text bomb": formats.black_png(64, comment),
        "png with 90 packed text bombs": formats.black_png(64, many),
        "png with a packed profile bomb": formats.black_png(64, chunk(b"iCCP", b"x\0\0" + much)),
    }


def cut_early() -> dict[str, bytes]:
    """Before anything says how large they are."""
    whole = {kind: saved(kind) for kind in ("jpeg", "png", "gif", "webp", "tiff", "bmp", "ppm")}
    ends = {"jpeg": 20, "png": 20, "gif": 9, "webp": 16, "tiff": 6, "bmp": 30, "ppm": 4}
    files = {f"{kind} cut in its header": whole[kind][:end] for kind, end in ends.items()}
    return {
        **files,
        "jpeg cut after its first mark": whole["jpeg"][:3],
        "png cut after its first mark": whole["png"][:8],
        "jpeg that only starts and ends": formats.JPEG_START + formats.JPEG_END,
        "jpeg without an end of its first segment": formats.JPEG_START + b"\xff\xe0\xff\xff",
        "jpeg without a frame": formats.without(saved("jpeg"), b"\xff\xc0"),
        "jpeg of nothing but marks": formats.JPEG_START + b"\xff\xd0" * 50_000,
        "tiff whose list leads nowhere": b"II*\x00\xff\xff\xff\x00",
        "tiff whose list leads to itself": b"II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00",
        "tiff with a list of 65535 tags": b"II*\0\x08\0\0\0\xff\xff" + bytes(100),
        "big tiff that leads beyond everything": b"II+\0\x08\0\0\0" + b"\xff" * 8,
        "png without a width": formats.png(0, 16, ZEROS),
        "png of no size": formats.png(0, 0, ZEROS),
        "gif of no size": formats.gif(0, 0),
        "bmp of no size": formats.bmp(0, 0),
        "ppm of no size": b"P6\n0 0\n255\n",
        "ppm of words": b"P6\nwide high\n255\n",
        "icon without pictures": formats.ico(),
        "webp without a frame": formats.webp(formats.canvas(9, 9)),
        "webp with a length beyond its end": b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff"
        + bytes(9),
        "avif without anything": formats.box(b"ftyp", b"avif\0\0\0\0avifmif1"),
        "avif with a box around itself": formats.box(b"ftyp", b"avif\0\0\0\0avif")
        + formats.box(b"meta", bytes(4) + formats.box(b"iprp", b"", 2**31)),
        "avif with a box of no length": formats.box(b"ftyp", b"avif\0\0\0\0avif")
        + formats.box(b"meta", bytes(40), 0),
        "jpeg 2000 without a stream": formats.box(b"jP  ", b"\r\n\x87\n")
        + formats.box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + formats.box(b"jp2h", formats.box(b"ihdr", struct.pack(">IIHBBBB", 9, 9, 3, 7, 7, 0, 0))),
        "gif that is php": b"GIF89a<?php system($_GET['c']); ?>",
        "jpeg that is html": formats.JPEG_START + b"\xff\xe0<script>alert(1)</script>",
    }


def cut_late() -> dict[str, bytes]:
    """Among the pixels."""
    jpeg, png, tiff = saved("jpeg"), saved("png"), saved("tiff")
    progressive = saved("jpeg", progressive=True)
    files = {
        "jpeg cut in its pixels": jpeg[: len(jpeg) // 2],
        "jpeg cut near its end": jpeg[:-40],
        "jpeg cut before its pixels": jpeg[: jpeg.index(b"\xff\xda")],
        "progressive jpeg cut in its pixels": progressive[: len(progressive) // 3],
        "png cut in its pixels": png[: len(png) // 2],
        "gif cut in its pixels": saved("gif")[:900],
        "webp cut in its pixels": saved("webp")[:300],
        "tiff cut in its pixels": tiff[: len(tiff) // 2],
        "bmp cut in its pixels": saved("bmp")[:1000],
        "ppm cut in its pixels": saved("ppm")[:1000],
        "qoi cut in its pixels": formats.qoi(9, 9) + bytes(3),
        "icon cut in its pixels": saved("ico", size=(32, 32))[:60],
    }
    if features.check("avif"):
        files["avif cut in its pixels"] = saved("avif")[:-100]
    if features.check("jpg_2000"):
        files["jpeg 2000 cut in its pixels"] = saved("jpeg2000")[:200]
    return files


def damaged() -> dict[str, bytes]:
    jpeg, png = saved("jpeg"), saved("png")
    quarter = len(png) // 4
    bad_table = bytes([0]) + bytes([255] * 16) + bytes(200)
    return {
        "jpeg without tables": formats.without(formats.without(jpeg, b"\xff\xdb"), b"\xff\xdb"),
        "jpeg with an impossible Huffman table": formats.with_segment(jpeg, 0xC4, bad_table),
        "jpeg without losses": formats.jpeg(formats.frame(16, 16, kind=0xC3), formats.scan()),
        "jpeg of 12 bits": formats.jpeg(formats.frame(16, 16, depth=12), formats.scan()),
        "jpeg of 5 colours": formats.jpeg(formats.frame(16, 16, components=5), formats.scan()),
        "jpeg without a height": formats.jpeg(formats.frame(16, 0), formats.scan(), bytes(50)),
        "jpeg with a segment of length 1": formats.with_segment(jpeg, 0xC4, b"", 1),
        "png with wrong bytes in its pixels": png[:quarter] + bytes(99) + png[quarter + 99 :],
        "png with a wrong checksum": png[:29] + b"\0\0\0\0" + png[33:],
        "png with pixels that are not packed": formats.png(16, 16, b"no zlib"),
        "png with too few pixels": formats.png(200, 200, ZEROS),
        "png of an impossible depth": formats.png(16, 16, ZEROS, depth=3),
        "png of impossible colours": formats.png(16, 16, ZEROS, colour=9),
        "png with an animation of no frames": formats.png(
            16, 16, b"no zlib", before=chunk(b"acTL", bytes(8))
        ),
        "png with a chunk of two gigabytes": png[:33] + b"\x7f\xff\xff\xffiTXt" + bytes(200),
        "gif without pixels": formats.gif(9, 9),
        "bmp of an impossible depth": formats.bmp(9, 9, depth=13),
        "tiff of an unknown packing": formats.tiff(9, 9, (259, 4711)),
        "tiff with strips beyond its end": formats.tiff(9, 9, (273, 2**30)),
    }


def harmless() -> dict[str, bytes]:
    """What looks bad and is a picture all the same, with the noise of `saved`, unpacked exactly."""
    png = saved("png")
    looping = formats.exif(tag(0x8769, 4, 1, 8), 1, following=8)
    endless = formats.exif(tag(0x9286, 7, 0x7FFFFFFF, 0xFFFFFFF0), 1)
    frames = struct.pack(">II", 2**31 - 1, 0)
    idle = chunk(b"tEXt", b"Comment\0" + b"x" * 50_000)

    def with_chunk(data: bytes) -> bytes:
        return png[:33] + data + png[33:]

    return {
        "plain": png,
        "more after its end": png + bytes(1000),
        "a zip after its end": png + b"PK\x03\x04" + bytes(100),
        "a script after its end": png + b"<script>alert(1)</script>",
        "exif that leads to itself": with_chunk(chunk(b"eXIf", looping[6:])),
        "exif beyond its end": with_chunk(chunk(b"eXIf", endless[6:])),
        "exif with an orientation that does not exist": with_chunk(
            chunk(b"eXIf", formats.exif(tag(0x0112, 3, 1, 99), 1)[6:])
        ),
        "an animation of two billion frames": with_chunk(chunk(b"acTL", frames)),
        "a profile that is none": with_chunk(chunk(b"iCCP", b"x\0\0" + zlib.compress(b"junk"))),
        "a million letters of text": with_chunk(idle * 20),
        "bmp": saved("bmp"),
        "ppm": saved("ppm"),
        "qoi": saved("qoi"),
    }


def slow() -> bytes:
    """A JPEG of a few kilobytes that takes minutes: each scan goes through 98 megapixels."""
    frame = formats.frame(9_900, 9_900, kind=0xC2)
    table = formats.segment(0xC4, bytes([0, 1] + [0] * 15 + [0]))
    refining = formats.scan(0, 0, 0x10) * 5_000
    return formats.jpeg(frame, table, formats.scan(0, 0, 1), refining)
