"""The whole application: its rings in their order, its life, and its document."""

from __future__ import annotations

import json
import threading

import pytest
from fastapi.testclient import TestClient

from clip.errors import ClipError
from snaplink.errors import StoreError
from snaplink.serve.app import create_app
from snaplink.serve.settings import Settings

from .conftest import SMALL


def problem(answer) -> dict:
    said = answer.json()
    assert said.keys() == {"error"}
    assert said["error"].keys() == {"message", "type", "param", "code"}
    return said["error"]


def test_what_is_not_there(client):
    for path in ("/nothing", "/v1", "/docs", "/redoc", "/v1/embeddings/", "/static/../app.py"):
        answer = client.get(path)
        assert (answer.status_code, problem(answer)["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/embeddings", "POST"),
        ("HEAD", "/v1/embeddings", "POST"),
        ("PUT", "/v1/search", "GET, POST, HEAD"),
        ("DELETE", "/healthz", "GET, HEAD"),
        ("OPTIONS", "/v1/classify", "POST"),
        ("GET", "/session", "DELETE, POST"),
        ("POST", "/static/main.js", "GET, HEAD"),
        ("TRACE", "/", "GET, HEAD"),
    ],
)
def test_methods_that_a_path_does_not_take(client, method, path, allowed):
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    if method != "HEAD":
        assert problem(answer)["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/models", "/v1/search?q=owl", "/metrics"])
def test_head_is_get_without_the_body(client, path):
    got, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


def test_strangers_learn_nothing_and_send_nothing(tiny):
    """Door before body: a refusal does not wait for what follows the headers."""
    settings = Settings(token="secret", workers=1)
    with TestClient(create_app(settings, load=lambda: tiny), base_url="http://127.0.0.1") as asking:

        def endless():
            while True:
                yield b"a" * 1000

        for path in ("/v1/embeddings", "/v1/nothing", "/metrics", "/openapi.json"):
            assert asking.get(path).status_code == 401
        assert asking.post("/session", json={"token": "wrong"}).status_code == 401
        opened = asking.post("/session", json={"token": "secret"})
        cookie = opened.headers["set-cookie"]
        assert opened.status_code == 204
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "secret" not in cookie
        assert asking.get("/metrics").status_code == 200  # by the cookie
        closed = asking.delete("/session")
        assert closed.status_code == 204
        assert asking.get("/metrics").status_code == 401


def test_it_is_alive_before_it_is_ready(tiny):
    may_load = threading.Event()

    def load():
        may_load.wait(60)
        return tiny

    with TestClient(create_app(SMALL, load=load), base_url="http://127.0.0.1") as asking:
        assert asking.get("/healthz").json() == {"status": "ok"}
        assert asking.get("/").status_code == 200
        for answer in (
            asking.get("/readyz"),
            asking.post("/v1/embeddings", json={"input": "a"}),
            asking.get("/v1/models"),
            asking.get("/v1/search?q=a"),
        ):
            assert (answer.status_code, problem(answer)["code"]) == (503, "not_ready")
            assert int(answer.headers["retry-after"]) >= 1
            assert "being loaded" in problem(answer)["message"]
        may_load.set()


def test_a_model_that_cannot_be_loaded_is_told_of():
    def load():
        raise ClipError("there is no such model")

    app = create_app(SMALL, load=load)
    with TestClient(app, base_url="http://127.0.0.1") as asking:
        while app.state.readiness.error is None:
            asking.get("/healthz")
        answer = asking.get("/readyz")
        assert answer.status_code == 503
        assert "there is no such model" in problem(answer)["message"]
        assert isinstance(app.state.readiness.error, ClipError)


def test_a_store_that_is_none_is_told_of_at_once(tmp_path):
    with pytest.raises(StoreError):
        create_app(Settings(store=tmp_path))


def test_a_mistake_of_our_own_tells_its_sender_nothing(client, monkeypatch, caplog):
    async def broken(*_, **__):
        raise ZeroDivisionError("/home/somebody/secret")

    monkeypatch.setattr(client.app.state.inference, "texts", broken)
    caplog.set_level("ERROR", logger="snaplink.serve")
    answer = client.post("/v1/embeddings", json={"input": "a"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert problem(answer)["type"] == "server_error"
    assert "ZeroDivisionError" in caplog.text
    assert client.get("/healthz").status_code == 200


def test_every_route_is_described_with_examples(client):
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/v1/embeddings", "/v1/classify", "/v1/search", "/v1/store", "/v1/pictures/{id}",
        "/v1/pictures/{id}/thumbnail", "/v1/models", "/v1/models/{id}", "/session", "/healthz",
        "/readyz", "/metrics",
    }  # fmt: skip
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            for media in operation.get("requestBody", {}).get("content", {}).values():
                assert examples_of(document, media), where
            for parameter in operation.get("parameters", ()):
                assert "example" in json.dumps(parameter), f"{where}: {parameter['name']}"
            for status, answer in operation["responses"].items():
                for media in answer.get("content", {}).values():
                    assert examples_of(document, media), f"{where}: {status}"
            if path in ("/healthz", "/readyz", "/session"):
                assert operation["security"] == []


def examples_of(document: dict, media: dict) -> list:
    """Of a body, or of what its schema refers to."""
    schema = media.get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    found = [*media.get("examples", ()), *schema.get("examples", ())]
    return [*found, media["example"]] if "example" in media else found


def test_the_documents_examples_are_answered(client):
    document = client.get("/openapi.json").json()
    for path in ("/v1/embeddings", "/v1/classify", "/v1/search"):
        content = document["paths"][path]["post"]["requestBody"]["content"]
        for example in examples_of(document, content["application/json"]):
            answer = client.post(path, json=example)
            assert answer.status_code in (200, 410), (path, example, answer.text)
