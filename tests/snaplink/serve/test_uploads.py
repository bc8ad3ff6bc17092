"""Which bytes are a picture, whatever their sender says of them."""

from __future__ import annotations

import base64
import io
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from snaplink.errors import PictureError
from snaplink.serve.errors import ApiError, NotAPicture, PictureTooLarge
from snaplink.serve.uploads import (
    check_picture,
    from_base64,
    from_data_url,
    is_data_url,
    picture_format,
)

LIMIT = 10_000
GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


@pytest.mark.parametrize(
    "name", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "JPEG2000", "AVIF"]
)
def test_what_pillow_writes_is_known(name):
    if name in ("AVIF", "WEBP") and not features.check(name.lower()):
        pytest.skip(f"this Pillow writes no {name}")
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(file, name)
    said = picture_format(file.getvalue())
    assert said is not None
    assert said.replace(" ", "").upper() == name
    assert check_picture(file.getvalue(), "it", LIMIT) == file.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "an empty file"),
        (b"hello", "no picture"),
        (b"%PDF-1.7", "a PDF"),
        (b"PK\3\4....", "a ZIP archive"),
        (b"  \n<svg xmlns=", "an SVG drawing"),
        (b"\xef\xbb\xbf<?xml version", "XML"),
        (b"<!DOCTYPE HTML>", "an HTML page"),
        (b"\0\0\0\x20ftypheic....", "an HEIC picture"),
        (b"\0\0\0\x20ftypisom....", "a video"),
        (b"\x1a\x45\xdf\xa3", "a video"),
        (b"RIFF....WAVE", "no picture"),
        (b"\x7fELF", "a program"),
        (b"\0" * 100, "no picture"),
    ],
)
def test_what_is_none_is_named(content, what):
    with pytest.raises(NotAPicture, match=what) as error:
        check_picture(content, "input[3]", LIMIT)
    assert error.value.picture == "input[3]"


def test_scans_are_counted_before_they_are_decoded():
    file = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(file, "JPEG", progressive=True)
    progressive = file.getvalue()
    scan = b"\xff\xda"
    assert progressive.count(scan) > 5
    assert check_picture(progressive, "it", LIMIT) == progressive
    endless = progressive + scan * 100
    with pytest.raises(PictureTooLarge, match=r"has 1\d\d scans, and 100 are accepted"):
        check_picture(endless, "it", LIMIT)


def test_the_limit_counts_bytes():
    assert check_picture(GIF + b"\0" * (LIMIT - len(GIF)), "it", LIMIT)
    with pytest.raises(PictureTooLarge, match="10,001 bytes, and 10,000 are accepted"):
        check_picture(GIF + b"\0" * (LIMIT + 1 - len(GIF)), "it", LIMIT)
    encoded = base64.b64encode(GIF + b"\0" * 20_000).decode()
    with pytest.raises(PictureTooLarge):
        from_base64(encoded, "it", LIMIT)


@pytest.mark.parametrize(
    "url",
    [
        "data:image/gif;base64,{}",
        "DATA:IMAGE/GIF;BASE64,{}",
        "data:;base64,{}",
        "data:image/png;base64,{}",  # what it says does not count
        "data:image/gif;charset=x;base64,{}",
        "data:application/octet-stream;base64,{}",
    ],
)
def test_data_urls(url):
    encoded = base64.b64encode(GIF).decode()
    assert from_data_url(url.format(encoded), "it", LIMIT) == GIF
    assert from_data_url(url.format(quote(encoded, safe="")), "it", LIMIT) == GIF
    assert from_data_url(f"data:image/gif,{quote(GIF)}", "it", LIMIT) == GIF


@pytest.mark.parametrize(
    "url",
    [
        "data:",
        "dat:x,",
        "data:image/gif",
        "data:image/gif;base64",
        "data:text/html;base64,PGI+",
        "data:image/gif;base64,R0lG*",
        "data:image/gif;base64,R0lGO",
        "data:image/gif;base64,é",
        "data:image/gif;base64,%41\ud800",
        "data:image/gif,GIF89a\ud800",
    ],
)
def test_data_urls_that_are_none(url):
    with pytest.raises((ApiError, PictureError)):
        from_data_url(url, "it", LIMIT)


def test_which_texts_are_pictures():
    assert is_data_url("Data:Image/png;base64,")
    assert not is_data_url("data:text/plain,a cat")
    assert not is_data_url("data: image")


@given(st.binary(max_size=300))
def test_base64_of_anything_that_is_no_picture_is_refused(content):
    encoded = base64.b64encode(content).decode()
    if picture_format(content) is None:
        with pytest.raises(NotAPicture):
            from_base64(encoded, "it", LIMIT)
    else:
        assert from_base64(encoded, "it", LIMIT) == content


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text):
    for read in (from_base64, from_data_url):
        with pytest.raises((ApiError, PictureError)):
            read(text, "it", LIMIT)
