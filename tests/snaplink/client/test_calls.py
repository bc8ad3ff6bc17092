"""What is asked for, as it goes over the wire, and what comes back, as Python has it."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from snaplink.errors import ArgumentError, PictureError, RefusedError

MODEL = {
    "id": "tiny",
    "object": "model",
    "dim": 4,
    "resolution": 64,
    "context_length": 77,
    "precision": "fp32",
    "weights_sha256": "ab12",
    "added by a later version": True,
}


def said(request: httpx.Request) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request.content)
    return body


def content(part: dict[str, Any]) -> bytes:
    """The bytes of a picture, or the text, of an input."""
    if part["type"] == "text":
        return part["text"].encode()
    return base64.b64decode(part["image_url"]["url"].partition(";base64,")[2])


class Embedder:
    """A server that makes `[length, first byte, 0, 1]` of any input, and takes so many at once."""

    def __init__(self, takes: int = 1000) -> None:
        self.takes = takes
        self.sizes: list[int] = []
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [MODEL]})
        assert request.url.path == "/v1/embeddings"
        body = said(request)
        inputs = body["input"]
        if len(inputs) > self.takes:
            return refusal(413, f"{len(inputs)} inputs, {self.takes} at most")
        self.sizes.append(len(inputs))
        self.bodies.append(body)
        rows = [self.row(index, content(part)) for index, part in enumerate(inputs)]
        return httpx.Response(200, json={"data": rows[::-1], "model": "tiny"})

    @staticmethod
    def row(index: int, content: bytes) -> dict[str, Any]:
        vector = np.array([len(content), content[0], 0, 1], "<f4")
        return {"index": index, "embedding": base64.b64encode(vector.tobytes()).decode()}


def refusal(status: int, message: str, param: str | None = None) -> httpx.Response:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": "no"}
    return httpx.Response(status, json={"error": error})


def test_texts_become_a_matrix_in_their_order(client_of):
    server = Embedder()
    matrix = client_of(server).embed_texts(["a", "bbb", "data:image/png;base64,no picture"])
    assert matrix.dtype == np.float32
    assert matrix.shape == (3, 4)
    assert matrix[:, 0].tolist() == [1, 3, 32]
    assert server.bodies[0]["encoding_format"] == "base64"
    assert [part["type"] for part in server.bodies[0]["input"]] == ["text"] * 3
    assert "model" not in server.bodies[0]


def test_one_text_is_one_row(client_of):
    assert client_of(Embedder()).embed_texts("a cat").shape == (1, 4)


def test_nothing_is_a_matrix_without_rows(client_of):
    assert client_of(Embedder()).embed_texts([]).shape == (0, 4)
    assert client_of(Embedder()).embed_pictures([]).shape == (0, 4)


def test_truncation_and_the_model_are_sent_when_they_are_wanted(client_of):
    server = Embedder()
    client_of(server, model="tiny").embed_texts(["a"], truncate=True)
    assert server.bodies[0]["truncate"] is True
    assert server.bodies[0]["model"] == "tiny"


def test_many_texts_go_in_several_requests(client_of):
    server = Embedder()
    matrix = client_of(server).embed_texts("x" * size for size in range(1, 131))
    assert matrix[:, 0].tolist() == list(range(1, 131))
    assert server.sizes == [64, 64, 2]


def test_where_the_server_takes_less_at_once_it_is_given_less(client_of):
    server = Embedder(takes=5)
    matrix = client_of(server).embed_texts("x" * size for size in range(1, 18))
    assert matrix[:, 0].tolist() == list(range(1, 18))
    assert max(server.sizes) <= 5


@pytest.mark.parametrize("status", [408, 413, 504])
def test_what_was_too_much_once_is_not_sent_again(client_of, status: int):
    sizes = []

    def answer(request: httpx.Request) -> httpx.Response:
        sizes.append(len(said(request)["input"]))
        return refusal(status, "too much") if sizes[-1] > 20 else Embedder()(request)

    client = client_of(answer)
    assert client.embed_texts("x" * size for size in range(1, 129)).shape == (128, 4)
    assert sizes[:4] == [64, 32, 16, 16]
    assert max(sizes[4:]) <= 32
    first = len(sizes)
    client.embed_texts("x" * size for size in range(1, 129))
    assert max(sizes[first:]) == 16


def test_one_input_that_is_too_large_for_the_server_is_an_error(client_of):
    with pytest.raises(RefusedError, match="1 inputs, 0 at most"):
        client_of(Embedder(takes=0)).embed_texts(["a", "b"])


def test_long_texts_go_in_requests_of_bounded_size(client_of):
    server = Embedder()
    matrix = client_of(server).embed_texts("x" * 10_000 for _ in range(64))
    assert matrix[:, 0].tolist() == [10_000] * 64
    assert server.sizes == [40, 24]


def test_large_pictures_go_in_requests_of_bounded_size(client_of):
    server = Embedder()
    pictures = [bytes([number]) * 9_000_000 for number in range(1, 5)]
    matrix = client_of(server).embed_pictures(pictures)
    assert matrix[:, 1].tolist() == [1, 2, 3, 4]
    assert server.sizes == [2, 2]


def test_pictures_are_paths_bytes_and_pillows(client_of, tmp_path: Path):
    path = tmp_path / "cat.png"
    Image.new("RGB", (3, 2), "red").save(path)
    server = Embedder()
    pillow = Image.new("P", (5, 4))
    url = "data:image/png;base64,AAAA"
    given = [path, str(path), path.read_bytes(), pillow, url]
    assert client_of(server).embed_pictures(given).shape == (5, 4)
    sent = [content(part) for part in server.bodies[0]["input"]]
    assert sent[0] == sent[1] == sent[2] == path.read_bytes()
    assert Image.open(io.BytesIO(sent[3])).size == (5, 4)
    assert sent[4] == b"\0\0\0"
    assert client_of(server).embed_pictures(path).shape == (1, 4)


def test_a_picture_that_is_not_there_is_named(client_of, tmp_path: Path):
    with pytest.raises(PictureError, match=r"gone\.png: no such file"):
        client_of(Embedder()).embed_pictures([tmp_path / "gone.png"])
    with pytest.raises(PictureError, match=r"irectory|denied"):
        client_of(Embedder()).embed_pictures([tmp_path])


def test_a_picture_that_the_server_refuses_is_named(client_of, tmp_path: Path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"JFIF")

    def answer(request: httpx.Request) -> httpx.Response:
        return refusal(422, "it is damaged", param="input[1]")

    with pytest.raises(PictureError) as caught:
        client_of(answer).embed_pictures([b"fine", path])
    assert (caught.value.picture, caught.value.problem) == (str(path), "it is damaged")


def test_a_text_that_the_server_refuses_is_named_by_its_place_among_all(client_of):
    def answer(request: httpx.Request) -> httpx.Response:
        inputs = said(request)["input"]
        if b"long" in map(content, inputs):
            return refusal(400, "too long", param=f"input[{len(inputs) - 1}]")
        return Embedder()(request)

    with pytest.raises(RefusedError, match=r"^text 70: too long") as caught:
        client_of(answer).embed_texts([*["short"] * 70, "long"])
    assert (caught.value.status, caught.value.code) == (400, "no")


def test_one_text_that_the_server_refuses_is_named_even_if_it_has_no_place(client_of):
    def answer(request: httpx.Request) -> httpx.Response:
        if len(said(request)["input"]) == 1:
            return refusal(400, "input has too many tokens", param="input")
        return Embedder()(request)

    with pytest.raises(RefusedError, match=r"^text 64: has too many tokens"):
        client_of(answer).embed_texts(["short"] * 64 + ["long"])


def test_a_text_that_is_none_is_refused_before_anything_is_sent(client_of):
    server = Embedder()
    with pytest.raises(ArgumentError, match="text 1 is no string but bytes"):
        client_of(server).embed_texts(["a", b"b"])
    assert not server.bodies


def test_classification_gives_predictions(client_of, tmp_path: Path):
    path = tmp_path / "owl.png"
    Image.new("RGB", (2, 2)).save(path)
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(said(request))
        scores = [{"label": "owl", "score": 0.9}, {"label": "cat", "score": 0.1}]
        rows = [
            {"index": index, "name": None, "scores": scores}
            for index in range(len(asked[-1]["pictures"]))
        ]
        return httpx.Response(200, json={"data": rows})

    client = client_of(answer)
    first, second = client.classify([path, b"bytes"], ["cat", "owl"], ["a {}", "the {}"])
    assert (first.picture, first.label, first.score) == (str(path), "owl", 0.9)
    assert (second.picture, second.scores[1].label) == (None, "cat")
    assert asked[0]["labels"] == ["cat", "owl"]
    assert asked[0]["templates"] == ["a {}", "the {}"]
    assert "top" not in asked[0]
    assert client.classify([], ["cat", "owl"]) == []


def test_a_label_that_the_server_refuses_is_no_pictures_fault(client_of):
    client = client_of(lambda request: refusal(400, "labels[0] is empty", param="labels[0]"))
    with pytest.raises(RefusedError, match=r"labels\[0\] is empty"):
        client.classify([b"fine"], ["", "owl"])


def test_one_label_is_not_taken_for_its_letters(client_of):
    client = client_of(Embedder())
    with pytest.raises(ArgumentError, match="labels are one text, 'owl'"):
        client.classify(b"fine", "owl")
    with pytest.raises(ArgumentError, match=r"templates are one text, 'a \{\}'"):
        client.classify(b"fine", ["owl", "cat"], "a {}")


def hit(position: int) -> dict[str, Any]:
    return {
        "id": f"s-{position}",
        "position": position,
        "key": f"/photos/{position}.jpg",
        "source": None,
        "score": 1 - position / 100,
        "width": 640,
        "height": None,
        "caption": None,
        "metadata": {"year": 2020 + position},
        "thumbnail": f"/v1/pictures/s-{position}/thumbnail",
        "picture": f"/v1/pictures/s-{position}",
    }


class Searched:
    """A store of seven rows, which all fit any question."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/search"
        body = said(request)
        self.asked.append(body)
        start = body.get("offset", 0)
        rows = [hit(position) for position in range(start, min(start + body["top"], 7))]
        return httpx.Response(
            200,
            json={
                "object": "list",
                "model": "tiny",
                "store": {"rows": 7, "snapshot": "s"},
                "took_ms": 1.5,
                "offset": start,
                "more": start + len(rows) < 7,
                "total": 7,
                "data": rows,
            },
        )


def test_a_search_gives_hits(client_of):
    server = Searched()
    found = client_of(server).search("a red car", top=3)
    assert (len(found), found.total, found.more, found.rows) == (3, 7, True, 7)
    assert [each.key for each in found] == ["/photos/0.jpg", "/photos/1.jpg", "/photos/2.jpg"]
    assert (found[1].score, found[1].metadata["year"], found[1].height) == (0.99, 2021, None)


def test_all_that_a_search_can_ask_for_is_sent(client_of):
    server = Searched()
    client = client_of(server)
    liked = client.search("an owl", top=1)[0]
    client.search(
        ["a car", "red"],
        not_="a van",
        also={"at night": 0.5},
        image=[b"abc", "data:image/png;base64,AA=="],
        like=[liked, "s-6"],
        top=2,
        where="width > 64",
        threshold=0.2,
        modality="text",
        dedupe=True,
    )
    assert server.asked[-1] == {
        "query": [
            {"text": "a car"},
            {"text": "red"},
            {"text": "a van", "weight": -1},
            {"text": "at night", "weight": 0.5},
            {"image": "data:image/*;base64,YWJj"},
            {"image": "data:image/png;base64,AA=="},
            {"id": "s-0"},
            {"id": "s-6"},
        ],
        "top": 2,
        "offset": 0,
        "where": "width > 64",
        "threshold": 0.2,
        "modality": "text",
        "dedupe": True,
    }


def test_a_search_names_the_model_that_it_is_meant_for(client_of):
    server = Searched()
    client = client_of(server, model="tiny")
    assert len(list(client.pages(client.search("a car", top=5)))) == 2
    assert [body["model"] for body in server.asked] == ["tiny", "tiny"]


def test_a_picture_to_search_by_that_the_server_refuses_is_a_picture_error(client_of):
    client = client_of(lambda request: refusal(422, "query[1]: it is damaged", param="query[1]"))
    with pytest.raises(PictureError, match=r"^the picture to search by: it is damaged"):
        client.search("an owl", image=b"JFIF")
    with pytest.raises(RefusedError, match="it is damaged"):
        client.search(["an owl", "a cat"])


def test_pages_go_on_to_the_end(client_of):
    server = Searched()
    client = client_of(server)
    pages = list(client.pages(client.search("a car", top=3)))
    assert [[each.position for each in page] for page in pages] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [body["query"] for body in server.asked] == [[{"text": "a car"}]] * 3
    assert [body.get("snapshot") for body in server.asked] == [None, "s", "s"]


def test_models_and_store_are_typed(client_of):
    store = {
        "name": "photos.store",
        "rows": 7,
        "model": "tiny",
        "dim": 4,
        "modalities": ["image"],
        "snapshot": "s",
        "demo": False,
        "indexed": True,
        "columns": [
            {"name": "set", "type": "text", "values": [{"value": "a", "count": 7}]}
            | {"min": None, "max": None},
            {"name": "year", "type": "number", "values": None, "min": 1999, "max": 2026},
        ],
    }

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [MODEL]})
        return httpx.Response(200, json=store)

    client = client_of(answer)
    (model,) = client.models()
    assert (model.id, model.dim, model.weights_sha256) == ("tiny", 4, "ab12")
    facts = client.store()
    assert (facts.rows, facts.modalities, facts.indexed) == (7, ("image",), True)
    assert facts.columns[0].values == (("a", 7),)
    assert (facts.columns[1].smallest, facts.columns[1].largest) == (1999, 2026)


def test_pictures_come_as_bytes(client_of):
    client = client_of(lambda request: httpx.Response(200, content=str(request.url.raw_path)))
    found = client_of(Searched()).search(top=1)[0]
    assert b"/v1/pictures/s-0" in client.picture(found)
    assert b"/v1/pictures/s-0/thumbnail?side=128" in client.thumbnail("s-0", 128)
