"""What a request wants embedded, in each form; the API's tests show the forms that HTTP brings."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import clip
from snaplink.errors import PictureError
from snaplink.serve import urls
from snaplink.serve.errors import ApiError
from snaplink.serve.inputs import Link, check_text, contents_of, from_input, from_picture
from snaplink.serve.settings import Settings

GIF = b"GIF89a and so on"
OPEN = Settings(fetch_urls=True)
CLOSED = Settings()

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_whatever_json_says_is_read_or_refused(value):
    try:
        inputs = from_input(value, CLOSED)
    except (ApiError, PictureError):
        return
    assert inputs
    assert all(isinstance(each, str) and each for each in inputs)


@given(st.dictionaries(st.sampled_from(["type", "text", "image", "image_url", "x"]), json_values))
def test_parts_are_read_or_refused(part):
    try:
        inputs = from_input([part, part], CLOSED)
    except (ApiError, PictureError):
        return
    assert len(inputs) == 2


@pytest.mark.parametrize("url", ["http://a.example/b.png", "HTTPS://a.example/b.png"])
def test_addresses_only_where_they_are_fetched(url):
    assert from_picture(url, "input", OPEN) == Link(url)
    with pytest.raises(ApiError, match="--fetch-urls") as error:
        from_picture(url, "input", CLOSED)
    assert error.value.code == "urls_not_fetched"


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a/b", "gopher://a", "jar:x", "c:\\a.png"]
)
@pytest.mark.parametrize("settings", [OPEN, CLOSED])
def test_other_addresses_never(url, settings):
    with pytest.raises(ApiError, match="neither a data URL nor base64"):
        from_picture(url, "input", settings)


def contents(*pictures, settings: Settings = OPEN) -> list[bytes]:
    names = [f"input[{number}]" for number in range(len(pictures))]
    return asyncio.run(contents_of(pictures, names, settings))


def test_what_was_fetched_is_looked_at_like_any_upload(monkeypatch):
    async def fetched(url, *, limit, name):
        return b"%PDF-1.7" if "pdf" in url else GIF

    monkeypatch.setattr(urls, "fetch", fetched)
    assert contents(Link("http://a.example/gif")) == [GIF]
    with pytest.raises(PictureError, match=r"input\[1\]: a PDF"):
        contents(GIF, Link("http://a.example/pdf"))
    assert contents(GIF, settings=CLOSED) == [GIF]


def test_no_more_is_fetched_than_could_be_sent(monkeypatch):
    """A few words of a body could make the server hold gigabytes."""
    asked = []

    async def fetched(url, *, limit, name):
        asked.append(name)
        return GIF.ljust(40, b"\0")

    monkeypatch.setattr(urls, "fetch", fetched)
    small = Settings(fetch_urls=True, max_body=100)
    assert len(contents(*[Link("http://a.example/gif")] * 2, settings=small)) == 2
    with pytest.raises(ApiError, match="more than the 100 bytes") as caught:
        contents(*[Link("http://a.example/gif")] * 9, settings=small)
    assert (caught.value.status, caught.value.param) == (413, "input[2]")
    assert len(asked) == 2 + 3


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200,
        "!" * 100,
        "-" * 80 + "\n" + "=" * 80,
        "word " * 2000,
        "红色的汽车停在房子前面。" * 100,
        "https://example.org/" + "a-b/" * 100,
        " " * 9_999 + "a",
    ],
)
def test_texts_that_people_send(text):
    assert check_text(text, "input", CLOSED) == text


@pytest.mark.parametrize(
    "text",
    [
        "a" * 10_000,
        "😀" * 10_000,
        "红" * 10_000,
        "a\x00" * 5_000,  # the tokenizer takes out what is between
        "a\x1c" * 5_000,
        "Ã©" * 5_000,  # and mends this to one letter
        "&amp;" * 2_000,
        "ðŸ˜€" * 2_500,  # noqa: RUF001
    ],
)
def test_texts_that_would_keep_the_tokenizer_for_seconds(text):
    begun = time.thread_time()  # without what other programs take
    with pytest.raises(ApiError) as error:
        check_text(text, "input", CLOSED)
    assert error.value.code == "word_too_long"
    assert time.thread_time() - begun < 1


def test_all_texts_of_a_request_are_so_long_at_most():
    text = "word " * 2000
    assert len(from_input([text] * 50, CLOSED)) == 50
    with pytest.raises(ApiError, match="510,000 characters") as error:
        from_input([text] * 51, CLOSED)
    assert error.value.code == "too_much_text"


def test_texts_beyond_that_are_not_looked_through(monkeypatch):
    cleaned = []
    monkeypatch.setattr("snaplink.serve.inputs.basic_clean", lambda text: str(cleaned.append(text)))
    with pytest.raises(ApiError, match="510,000 characters"):
        from_input(["word " * 1900 + "1" * 500] * 256, CLOSED)
    assert len(cleaned) == 51


@pytest.mark.parametrize("text", ["&#" + "9" * 5000, "&amp;#" + "9" * 5000 + ";"])
def test_entities_that_python_does_not_read(text):
    with pytest.raises(ApiError, match="it has an HTML entity") as error:
        check_text(text, "it", CLOSED)
    assert error.value.status == 400


@given(st.text(max_size=300) | st.text("a \x1bé😀&;#1", max_size=600))
def test_what_passes_has_no_endless_words(text):
    """Neither as it is nor as the tokenizer cleans it."""
    try:
        check_text(text, "input", CLOSED)
    except ApiError:
        return
    cleaned = clip.simple_tokenizer.basic_clean(text)
    assert max((len(run) for run in cleaned.split() if run.isalpha()), default=0) <= 200
