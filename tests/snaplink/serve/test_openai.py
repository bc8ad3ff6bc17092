"""OpenAI's own client, unchanged but for its address."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest

from snaplink import images, load_encoder
from snaplink.fake_encoder import FakeEncoder

OWL = Path(__file__).parents[3] / "examples" / "owl.png"
TEXTS = ["a drawing of an owl", "a fire engine", "héllo ☃"]


class Awaited:
    """An AsyncOpenAI, each of whose calls is waited for."""

    def __init__(self, client: openai.AsyncOpenAI, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def embed(self, **asked: Any) -> Any:
        return self._loop.run_until_complete(self._client.embeddings.create(**asked))

    def models(self) -> list[Any]:
        async def listed() -> list[Any]:
            return [model async for model in self._client.models.list()]

        return self._loop.run_until_complete(listed())

    def model(self, name: str) -> Any:
        return self._loop.run_until_complete(self._client.models.retrieve(name))

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


class Plain:
    """An OpenAI, by the same names."""

    def __init__(self, client: openai.OpenAI) -> None:
        self.embed = client.embeddings.create
        self.models = lambda: list(client.models.list())
        self.model = client.models.retrieve
        self.close = client.close


def client_of(kind: str, url: str, token: str, **options: Any) -> Any:
    given = {"base_url": f"{url}v1", "api_key": token, **options}
    if kind == "sync":
        return Plain(openai.OpenAI(**given))
    return Awaited(openai.AsyncOpenAI(**given), asyncio.new_event_loop())


@pytest.fixture(scope="module", params=["sync", "async"])
def client(request: pytest.FixtureRequest, served) -> Iterator[Any]:
    made = client_of(request.param, served.url, served.token)
    yield made
    made.close()


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("tiny", "cpu")


def vectors(answer: Any) -> np.ndarray:
    assert [row.index for row in answer.data] == list(range(len(answer.data)))
    return np.array([row.embedding for row in answer.data], np.float32)


def test_one_text(client, encoder):
    answer = client.embed(model="tiny", input=TEXTS[0])
    expected = encoder.encode_texts(TEXTS[:1], normalize=True).numpy()
    np.testing.assert_allclose(vectors(answer), expected, atol=2e-6)
    assert (answer.object, answer.model, answer.data[0].object) == ("list", "tiny", "embedding")
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 7  # 5, start and end


def test_many_texts_by_both_encodings(client, encoder):
    expected = encoder.encode_texts(TEXTS, normalize=True).numpy()
    by_default = client.embed(model="tiny", input=TEXTS)  # the client asks for base64
    as_floats = client.embed(model="tiny", input=TEXTS, encoding_format="float")
    np.testing.assert_allclose(vectors(by_default), expected, atol=2e-6)
    assert np.array_equal(vectors(by_default), vectors(as_floats))
    as_asked = client.embed(model="tiny", input=TEXTS, encoding_format="base64")
    row = np.frombuffer(base64.b64decode(as_asked.data[2].embedding), "<f4")
    assert np.array_equal(row, vectors(by_default)[2])


def data_url(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def test_a_picture_in_each_form_that_servers_of_both_kinds_take(client, encoder):
    pixels = encoder.bulk(images.decode(OWL))[None]  # as the store's pictures were prepared
    expected = encoder.encode_pixels(pixels, normalize=True).numpy()[0]
    url = data_url(OWL)
    part = {"type": "image_url", "image_url": {"url": url}}
    forms = [
        {"input": url},
        {"input": [TEXTS[0], url]},
        {"input": [{"image": url}]},
        {"input": [part]},
        {
            "input": [],
            "extra_body": {"input": None, "messages": [{"role": "user", "content": [part]}]},
        },
    ]
    for form in forms:
        found = vectors(client.embed(model="tiny", **form))[-1]
        np.testing.assert_allclose(found, expected, atol=2e-6, err_msg=str(form)[:60])


def test_the_model_is_listed_and_found(client):
    assert [model.id for model in client.models()] == ["tiny"]
    model = client.model("tiny")
    assert (model.id, model.object, model.owned_by) == ("tiny", "model", "snaplink")
    with pytest.raises(openai.NotFoundError, match="'gpt-9' is not served here: 'tiny' is"):
        client.model("gpt-9")
    with pytest.raises(openai.NotFoundError) as caught:
        client.embed(model="text-embedding-3-small", input="an owl")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_another_token_is_no_authentication(kind: str, served):
    client = client_of(kind, served.url, "sk-another", max_retries=0)
    with pytest.raises(openai.AuthenticationError, match="not this server's") as caught:
        client.embed(model="tiny", input="an owl")
    assert caught.value.status_code == 401
    assert served.token not in str(caught.value)
    client.close()


def test_no_other_width_is_made_up(client, encoder):
    assert client.embed(model="tiny", input="an owl", dimensions=encoder.dim).data
    with pytest.raises(openai.BadRequestError, match=r"128 dimensions.*leave dimensions out") as e:
        client.embed(model="tiny", input="an owl", dimensions=64)
    assert e.value.param == "dimensions"


def test_a_text_that_is_too_long_is_refused_with_its_place(client, encoder):
    long = "owl " * 100
    with pytest.raises(openai.BadRequestError, match=r"input\[1\] has more than the 77") as caught:
        client.embed(model="tiny", input=["an owl", long])
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input[1]")
    cut = client.embed(model="tiny", input=long, extra_body={"truncate": True})
    expected = encoder.encode_texts([long], normalize=True, truncate=True).numpy()
    np.testing.assert_allclose(vectors(cut), expected, atol=2e-6)


@pytest.mark.parametrize("tokens", [[49406, 320, 49407], [[49406, 320, 49407], [1, 2]]])
def test_token_ids_as_langchain_sends_them_are_refused_with_what_to_do(client, tokens):
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
        client.embed(model="tiny", input=tokens)


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ("", openai.BadRequestError, "input is an empty text"),
        ([], openai.BadRequestError, "empty list"),
        (["an owl"] * 257, openai.APIStatusError, "257 inputs in one request, and 256"),
        ("data:image/png;base64,JVBERi0xLjc=", openai.APIStatusError, "a PDF"),
        ("data:image/png;base64,?", openai.BadRequestError, "base64"),
    ],
    ids=["empty", "none", "many", "pdf", "no base64"],
)
def test_what_cannot_be_embedded_is_refused_in_words(client, given, kind, says: str):
    with pytest.raises(kind, match=says) as caught:
        client.embed(model="tiny", input=given)
    assert 400 <= caught.value.status_code < 500


class Held(FakeEncoder):
    """Encodes once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.free = threading.Event(), threading.Event()

    def _texts(self, texts: list[str], truncate: bool) -> Any:
        self.begun.set()
        assert self.free.wait(60)
        return super()._texts(texts, truncate)


def test_a_full_queue_is_asked_again_by_the_client_itself(serving):
    encoder = Held()
    with serving(encoder, queue=1) as url, ThreadPoolExecutor(3) as threads:
        first = threads.submit(embed_once, "sync", url, "held")
        assert encoder.begun.wait(60)
        waiting = threads.submit(embed_once, "sync", url, "waits")
        refused = full(url)
        assert int(refused.response.headers["Retry-After"]) >= 1
        assert "ask again later" in refused.message
        again = [threads.submit(embed_once, kind, url, kind) for kind in ("sync", "async")]
        while refusals(url) < 3:
            time.sleep(0.05)
        encoder.free.set()
        assert {done.result(60) for done in (first, waiting, *again)} == {1}


def embed_once(kind: str, url: str, text: str, **options: Any) -> int:
    client = client_of(kind, url, "none", **options)
    try:
        return len(client.embed(model="fake", input=text).data)
    finally:
        client.close()


def refusals(url: str) -> int:
    """How often the server has said that it is full."""
    lines = httpx.get(f"{url}metrics", trust_env=False, timeout=60).text.splitlines()
    counts = [line for line in lines if line.startswith("snaplink_requests_total{")]
    return sum(int(float(line.split()[-1])) for line in counts if 'status="429"' in line)


def full(url: str) -> openai.RateLimitError:
    """What a client is told once the queue is full, if it does not ask again."""
    for number in range(200):
        try:
            embed_once("sync", url, f"text {number}", max_retries=0, timeout=1)
        except openai.RateLimitError as error:
            return error
        except openai.APITimeoutError:
            pass  # the other has not reached the queue yet: this one has, and leaves it again
    raise AssertionError("the queue is never full")
