"""Forms with files, as browsers and programs write them, and as nobody should."""

from __future__ import annotations

import time
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaplink.serve.errors import ApiError
from snaplink.serve.multipart import Field, fields

KIND = "multipart/form-data; boundary=X"


def part(disposition: str, content: bytes, *further: str) -> bytes:
    lines = [f"Content-Disposition: form-data; {disposition}", *further, ""]
    return "\r\n".join(lines).encode() + b"\r\n" + content


def form(*parts: bytes) -> bytes:
    return b"".join(b"--X\r\n" + each + b"\r\n" for each in parts) + b"--X--\r\n"


def test_texts_and_files_in_their_order():
    body = form(
        part('name="labels"', "grün".encode()),
        part('name="pictures"; filename="a.png"', b"\x89PNG\r\n\r\n--Y", "Content-Type: image/png"),
        part('name="labels"', b""),
    )
    assert fields(KIND, body, 9) == [
        Field("labels", None, "grün".encode()),
        Field("pictures", "a.png", b"\x89PNG\r\n\r\n--Y"),
        Field("labels", None, b""),
    ]
    assert fields(KIND, body, 9)[0].text == "grün"


@given(st.lists(st.binary(max_size=200).filter(lambda each: b"\r\n--X" not in b"\r\n" + each)))
def test_any_bytes_come_through(contents):
    body = form(*(part('name="f"; filename="f"', each) for each in contents))
    if contents:
        assert [each.content for each in fields(KIND, body, 1000)] == contents


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("photo.png", "photo.png"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\windows\\a.png", "a.png"),
        ("../..", ".."),
        ("☃ grün.png", "☃ grün.png"),
        ('a\\"b.png', 'a"b.png'),
        ("n" * 500, "n" * 200),
    ],
)
def test_names_of_files_are_names(written, name):
    body = form(part(f'name="pictures"; filename="{written}"', b"x"))
    assert fields(KIND, body, 1)[0].filename == name


@pytest.mark.parametrize("name", ["grün.png", "☃.png"])
def test_names_in_the_way_of_mails(name):
    body = form(part(f"name=\"pictures\"; filename*=UTF-8''{quote(name)}", b"x"))
    assert fields(KIND, body, 1)[0].filename == name


@pytest.mark.parametrize(
    "kind",
    [
        'multipart/form-data; boundary="X"',
        "Multipart/Form-Data; charset=utf-8; boundary=X",
        "multipart/form-data;boundary=X",
    ],
)
def test_the_boundary_however_it_is_named(kind):
    assert fields(kind, form(part('name="a"', b"1")), 1)[0].content == b"1"


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", f"a/b; boundary={'x' * 71}"]
)
def test_no_boundary(kind):
    with pytest.raises(ApiError, match="boundary"):
        fields(kind, form(part('name="a"', b"1")), 1)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "ends before the last boundary"),
        (b"hello", "ends before the last boundary"),
        (form(part('name="a"', b"1"))[:-6], "ends before the last boundary"),
        (b"--X\r\nno headers\r\n--X--", "no headers"),
        (b"--X\r\n\r\nno headers\r\n--X--", "no Content-Disposition"),
        (b"--X\r\nX: " + b"a" * 5000 + b"\r\n\r\n1\r\n--X--", "endless ones"),
        (form(part("x=y", b"1")), "part 1 of the form has no Content-Disposition"),
        (form(part('name="a"', b"1"), part('name=""', b"1")), "part 2"),
        (form(*[part('name="a"', b"1")] * 4), "more than the 3 parts"),
    ],
)
def test_what_is_no_form(body, message):
    with pytest.raises(ApiError, match=message):
        fields(KIND, body, 3)


def test_a_text_that_is_none():
    (field,) = fields(KIND, form(part('name="labels"', b"\xff")), 1)
    with pytest.raises(ApiError, match="'labels' is not UTF-8"):
        _ = field.text


@given(st.binary(max_size=400))
def test_whatever_comes_is_a_form_or_refused(noise):
    for body in (noise, b"--X\r\n" + noise + b"\r\n--X--", noise.replace(b"a", b"\r\n--X\r\n")):
        with suppress(ApiError):
            fields(KIND, body, 5)


@pytest.mark.parametrize(
    "body",
    [
        b"--X\r\n" + b"a" * 20_000_000,
        b"--X\r\n" + b"A: b\r\n" * 3_000_000,
        b"X--" * 7_000_000,
        b"\r\n--" * 5_000_000,
        b"--X\r\n" * 4_000_000,
    ],
)
def test_a_large_body_of_nonsense_is_refused_at_once(body):
    begun = time.thread_time()  # without what other programs take
    with pytest.raises(ApiError):
        fields(KIND, body, 100)
    assert time.thread_time() - begun < 2
