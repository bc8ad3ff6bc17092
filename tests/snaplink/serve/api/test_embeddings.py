"""Embeddings in OpenAI's form equal what the model gives when it is called directly."""

from __future__ import annotations

import asyncio
import base64
import io
import json

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

import clip
from snaplink.images import decode


def embed(client, **body):
    return client.post("/v1/embeddings", json=body)


def url_of(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def vectors(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.array([each["embedding"] for each in answer.json()["data"]], np.float32)


def refused(answer, status: int, code: str | None = None) -> dict:
    error = answer.json()["error"]
    assert answer.status_code == status, error
    assert code in (None, error["code"])
    return error


def directly(tiny, item: str | bytes) -> np.ndarray:
    if isinstance(item, str):
        return tiny.encode_texts([item], normalize=True)[0].numpy()
    pixels = tiny.pixels(decode(item, upright=True))
    return tiny.encode_pixels(pixels[None], normalize=True)[0].numpy()


@pytest.fixture(scope="module")
def turned(owl) -> bytes:
    """A photograph that its camera wants turned."""
    picture = Image.open(io.BytesIO(owl)).convert("RGB").resize((300, 200))
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    picture.save(file, "JPEG", exif=exif)
    return file.getvalue()


def test_texts_equal_direct_calls(client, tiny):
    texts = ["a cat", "", "a photo of an owl", "☃ grüße", "a cat"]
    texts[1] = " "
    answer = embed(client, input=texts)
    found = vectors(answer)
    assert np.abs(found - [directly(tiny, text) for text in texts]).max() < 1e-5
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-6
    said = answer.json()
    assert (said["object"], said["model"]) == ("list", "tiny")
    assert [(each["object"], each["index"]) for each in said["data"]] == [
        ("embedding", number) for number in range(5)
    ]
    count = sum(int(clip.tokenize(text).argmax()) + 1 for text in texts)
    assert said["usage"] == {"prompt_tokens": count, "total_tokens": count}


def test_one_text_or_a_list_of_one(client):
    assert embed(client, input="a cat").content == embed(client, input=["a cat"]).content


def test_pictures_equal_direct_calls(client, tiny, owl, turned):
    items = [owl, "an owl", turned, owl]
    sent = [url_of(item) if isinstance(item, bytes) else item for item in items]
    answer = embed(client, input=sent, user="me", model="tiny", dimensions=tiny.dim)
    found = vectors(answer)
    assert np.abs(found - [directly(tiny, item) for item in items]).max() < 1e-5
    assert answer.json()["usage"]["prompt_tokens"] == 4


def test_base64_has_the_same_values(client, owl):
    items = ["a cat", url_of(owl)]
    exact = embed(client, input=items, encoding_format="base64").json()["data"]
    read = [np.frombuffer(base64.b64decode(each["embedding"]), "<f4") for each in exact]
    floats = vectors(embed(client, input=items, encoding_format="float"))
    assert np.array_equal(np.stack(read), floats)


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "IMAGE/PNG", "image/anything"])
def test_every_way_to_send_a_picture(client, owl, kind):
    expected = vectors(embed(client, input=url_of(owl)))[0]
    url, bare = url_of(owl, kind), base64.b64encode(owl).decode()
    for form in (
        url,
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
        {"type": "image_url", "image_url": url},
        {"image": url},
        {"image": bare},
        {"image": "\n".join(bare[i : i + 76] for i in range(0, len(bare), 76))},
        url.replace("+", "%2B").replace("=", "%3D"),
    ):
        assert np.array_equal(vectors(embed(client, input=[form]))[0], expected)
        assert np.array_equal(vectors(embed(client, input=form))[0], expected)


def test_texts_as_parts(client):
    expected = embed(client, input="a cat").content
    for form in ({"type": "text", "text": "a cat"}, {"text": "a cat"}):
        assert embed(client, input=[form]).content == expected


def test_messages_as_chat_models_take_them(client, owl):
    expected = vectors(embed(client, input=url_of(owl)))[0]
    part = {"type": "image_url", "image_url": {"url": url_of(owl)}}
    answer = embed(client, messages=[{"role": "user", "content": [part]}])
    assert np.array_equal(vectors(answer)[0], expected)
    text = embed(client, messages=[{"role": "user", "content": "a cat"}])
    assert text.content == embed(client, input="a cat").content
    both = [{"role": "user", "content": [part, {"type": "text", "text": "an owl"}]}]
    assert "2 texts and pictures" in refused(embed(client, messages=both), 400)["message"]
    bad = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,x"}}]}]
    assert refused(embed(client, messages=bad), 415)["param"] == "messages"


@pytest.mark.parametrize(
    ("body", "status", "param", "message"),
    [
        ({}, 422, "input", "send input"),
        ({"input": None}, 422, "input", "send input"),
        ({"input": "a", "messages": [{"content": "a"}]}, 422, "input", "send input"),
        ({"input": ""}, 400, "input", "empty text"),
        ({"input": ["a", ""]}, 400, "input[1]", "empty text"),
        ({"input": []}, 400, "input", "empty list"),
        ({"input": [1, 2, 3]}, 400, "input", "token ids are another model's"),
        ({"input": [[1, 2], [3]]}, 400, "input", "check_embedding_ctx_length=False"),
        ({"input": 5}, 422, "input", "a text, a picture"),
        ({"input": ["a", 5]}, 422, "input[1]", "neither a text nor a picture"),
        ({"input": ["a", None]}, 422, "input[1]", "neither"),
        ({"input": {"type": "audio", "audio": "x"}}, 422, "input", "no part that is known"),
        ({"input": {"text": "a", "image": "b"}}, 422, "input", "no part that is known"),
        ({"input": ["a"] * 9}, 413, "input", "8 are accepted"),
        ({"input": "a " * 600}, 400, "input", "1,000 are accepted"),
        ({"input": "\ud800"}, 400, "input", "lone surrogate"),
        ({"input": ["b", "a" * 201]}, 400, "input[1]", "200 letters"),
        ({"input": "Ã©" * 300}, 400, "input", "200 letters"),
        ({"input": "😀" * 101}, 400, "input", "100 signs"),
        ({"input": ["a", "long " * 100]}, 400, "input[1]", '"truncate": true'),
        ({"input": "a", "dimensions": 64}, 400, "dimensions", "leave dimensions out"),
        ({"input": "a", "dimensions": "128"}, 422, "dimensions", "whole number"),
        ({"input": "a", "truncate": 1}, 422, "truncate", "true or false"),
        ({"input": "a", "encoding_format": "int8"}, 422, "encoding_format", "'float' or 'base64'"),
        ({"input": "a", "model": "gpt-4"}, 404, "model", "'tiny' is"),
        ({"input": "a", "normalize": True}, 422, "normalize", "no such field"),
        ({"input": "https://example.org/a.jpg", "user": 5}, 422, "user", "a text"),
        ({"input": {"image": "https://example.org/a.jpg"}}, 400, "input", "--fetch-urls"),
        ({"input": {"image": "file:///etc/passwd"}}, 400, "input", "no other address"),
        ({"input": {"image": "/etc/passwd"}}, 400, "input", "no base64"),
        ({"input": {"image": "???"}}, 400, "input", "no base64"),
        ({"input": "data:image/png;base64,"}, 415, "input", "empty file"),
        ({"input": "data:image/png;base64,AAAA"}, 415, "input", "no picture"),
    ],
)  # fmt: skip
def test_what_is_refused_and_why(client, body, status, param, message):
    content = json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    error = refused(client.post("/v1/embeddings", content=content, headers=headers), status)
    assert error["param"] == param
    assert message in error["message"]
    assert error["type"] == "invalid_request_error"


def test_a_text_that_is_an_address_is_a_text(client, tiny):
    text = "https://example.org/a.jpg"
    assert np.abs(vectors(embed(client, input=text))[0] - directly(tiny, text)).max() < 1e-5


def test_long_texts_are_cut_if_asked_to(client, tiny):
    long = "a small red car " * 60
    found = vectors(embed(client, input=[long, "a cat"], truncate=True))[0]
    expected = tiny.encode_texts([long], normalize=True, truncate=True)[0].numpy()
    assert np.abs(found - expected).max() < 1e-5
    said = embed(client, input=[long, long, long], truncate=True).json()
    assert said["usage"]["prompt_tokens"] == 3 * tiny.context_length
    error = refused(embed(client, input=[long]), 400, "context_length_exceeded")
    assert error["param"] == "input[0]"


def test_the_picture_that_cannot_be_used_is_named(client, owl):
    noise = io.BytesIO()
    Image.effect_noise((600, 600), 90).save(noise, "PNG")
    large = io.BytesIO()
    Image.new("1", (2000, 1000)).save(large, "PNG")
    for bad, status in (
        (b"hello there", 415),
        (b"%PDF-1.7", 415),
        (b"", 415),
        (owl[:2000], 422),  # it ends too early
        (noise.getvalue(), 413),  # of too many bytes
        (large.getvalue(), 413),  # of too many pixels
    ):
        answer = embed(client, input=[url_of(owl), "a cat", url_of(bad), url_of(owl)])
        error = refused(answer, status)
        assert error["param"] == "input[2]"
        assert error["message"].startswith("input[2]")
    assert embed(client, input=[url_of(owl)]).status_code == 200


def test_many_at_once_share_batches_and_keep_their_answers(client, tiny):
    texts = [f"picture number {number}" for number in range(24)]

    async def all_at_once() -> list[httpx.Response]:
        transport = httpx.ASGITransport(client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asking:
            bodies = [{"input": [text, text[::-1]]} for text in texts]
            return await asyncio.gather(
                *(asking.post("/v1/embeddings", json=body) for body in bodies)
            )

    answers = client.portal.call(all_at_once)
    expected = tiny.encode_texts([t for text in texts for t in (text, text[::-1])], normalize=True)
    found = torch.from_numpy(np.concatenate([vectors(answer) for answer in answers]))
    assert (found - expected).abs().max() < 1e-5
