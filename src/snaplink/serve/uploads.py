"""Pictures as clients send them: which bytes are one, told by themselves, and within the limits."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from .errors import ApiError, NotAPicture, PictureTooLarge

__all__ = ["check_picture", "from_base64", "from_data_url", "is_data_url", "picture_format"]

_STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\1\0": "ICO",
    b"qoif": "QOI",
}
"""How the formats begin that `snaplink.images` reads. TGA files begin in no way of their own."""

_OTHERS = {
    b"%PDF": "a PDF",
    b"PK\3\4": "a ZIP archive",
    b"<svg": "an SVG drawing",
    b"<?xml": "XML (an SVG drawing?)",
    b"<!doctype html": "an HTML page",
    b"<html": "an HTML page",
    b"\x1a\x45\xdf\xa3": "a video",
    b"8BPS": "a Photoshop file",
    b"\x1f\x8b": "a gzip file",
    b"\x7fELF": "a program",
    b"MZ": "a program",
}

_SCAN, _SCANS = b"\xff\xda", 100
"""How a scan of a JPEG begins, and how many are accepted: a progressive one has about ten, and each
goes through all pixels, so that thousands in a few kilobytes keep a decoder for minutes."""

_PPM = re.compile(rb"P[1-6][\s#]")
_DATA_URL = re.compile(r"data:([^,;]*)((?:;[^,;]*)*),", re.IGNORECASE)
_ANY_TYPE = frozenset({"", "application/octet-stream", "binary/octet-stream"})


def picture_format(content: bytes) -> str | None:
    """The format that the first bytes tell of; None if it is none that is read here.

    >>> picture_format(b"GIF89a...")
    'GIF'
    """
    for start, name in _STARTS.items():
        if content.startswith(start):
            return name
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WebP"
    if content[4:12] in (b"ftypavif", b"ftypavis"):
        return "AVIF"
    return "PPM" if _PPM.match(content) else None


def check_picture(content: bytes, name: str, limit: int) -> bytes:
    """The content, if it begins as a picture does and is not too long.

    What its sender declares it to be does not count.

    Args:
        content: a file's bytes.
        name: what messages call it, such as ``input[2]``.
        limit: bytes that a picture may have.

    Raises:
        PictureError: it is not.
    """
    if not content:
        raise NotAPicture(name, "an empty file")
    if len(content) > limit:
        raise PictureTooLarge(name, f"has {len(content):,} bytes, and {limit:,} are accepted")
    if picture_format(content) is None:
        raise NotAPicture(
            name,
            f"{_guess(content)}: send a JPEG, PNG, WebP, GIF, AVIF, BMP, TIFF, JPEG 2000, PPM, "
            "ICO or QOI",
        )
    if content.startswith(b"\xff\xd8") and (scans := content.count(_SCAN)) > _SCANS:
        raise PictureTooLarge(name, f"has {scans:,} scans, and {_SCANS} are accepted: save it anew")
    return content


def _guess(content: bytes) -> str:
    if content[4:8] == b"ftyp":
        if content[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
            return "an HEIC picture, which is not read here"
        return "a video"
    start = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, what in _OTHERS.items():
        if start.startswith(beginning.lower()):
            return what
    return f"no picture (it begins with {content[:16]!r})"


def is_data_url(text: str) -> bool:
    """Is the text the data URL of a picture?"""
    return text[:11].lower() == "data:image/"


def from_data_url(url: str, name: str, limit: int) -> bytes:
    """The picture in a data URL; see `check_picture`.

    Raises:
        ApiError: it is not such a URL.
        PictureError: it has no picture that is accepted.
    """
    match = _DATA_URL.match(url)
    if match is None:
        raise ApiError(400, f"{name} is no data URL: it begins data:image/jpeg;base64,", name)
    kind, parameters = match[1].strip().lower(), match[2].lower()
    if kind not in _ANY_TYPE and not kind.startswith("image/"):
        raise NotAPicture(name, f"says that it is {kind[:100]!r}, which is no picture")
    if ";base64" in parameters:
        return from_base64(url[match.end() :], name, limit)
    try:
        content = unquote_to_bytes(url[match.end() :])
    except UnicodeEncodeError:
        raise ApiError(400, f"{name} is no data URL: it has half of a character", name) from None
    return check_picture(content, name, limit)


def from_base64(encoded: str, name: str, limit: int) -> bytes:
    """The picture that a text in base64 has; see `check_picture`.

    Raises:
        ApiError: it is no base64.
        PictureError: it has no picture that is accepted.
    """
    if len(encoded) > 4 * (limit // 3 + 1) * 1.1:  # with line ends, before they are taken out
        raise PictureTooLarge(name, f"has more than the {limit:,} bytes that are accepted")
    try:
        content = base64.b64decode(_plain(encoded), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApiError(400, f"{name} is no base64 ({error})", name) from None
    return check_picture(content, name, limit)


def _plain(encoded: str) -> str:
    """Without what URLs escape, and without line ends."""
    if "%" in encoded:
        encoded = unquote_to_bytes(encoded).decode("latin-1")
    return encoded if encoded.isalnum() else "".join(encoded.split())
