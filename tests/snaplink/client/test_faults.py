"""Whatever the server or the way to it does, the caller is told in our words, or nothing at all."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import certifi
import httpx
import pytest

from snaplink import Client
from snaplink.client.server import server_at
from snaplink.errors import (
    AnswerError,
    ArgumentError,
    BusyError,
    RefusedError,
    ServerError,
    TokenError,
    UnreachableError,
)

Step = int | str | Exception | httpx.Response


class Playing:
    """A server that does one thing after the other, and then the last one for ever."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        step = self.steps[min(len(self.requests), len(self.steps) - 1)]
        self.requests.append(request)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, httpx.Response):
            return httpx.Response(step.status_code, headers=step.headers, content=step.content)
        if step == "fine":
            return httpx.Response(200, json={"data": []})
        return httpx.Response(step, json={"error": {"message": f"no: {step}", "param": None}})


REFUSED = httpx.ConnectError("[Errno 111] Connection refused")
CUT = httpx.RemoteProtocolError("Server disconnected without sending a response.")


def test_too_many_requests_are_sent_again_when_the_server_says(client_of, pauses: list[float]):
    busy = httpx.Response(429, headers={"Retry-After": "3"}, json={"error": {"message": "full"}})
    server = Playing(busy, busy, "fine")
    assert client_of(server).models() == []
    assert len(server.requests) == 3
    assert all(3 <= pause < 3.2 for pause in pauses)


def test_a_server_that_stays_busy_is_given_up_after_the_retries(client_of, pauses: list[float]):
    server = Playing(503)
    with pytest.raises(BusyError, match=r"no: 503 \(asked 13 times\)") as caught:
        client_of(server).models()
    assert caught.value.status == 503
    assert len(server.requests) == 13
    assert 25 < sum(pauses) < 60
    assert max(pauses) < 10


def test_who_is_told_to_come_soon_comes_less_and_less_often(client_of, pauses: list[float]):
    busy = httpx.Response(503, headers={"Retry-After": "1"}, json={"error": {"message": "full"}})
    with pytest.raises(BusyError):
        client_of(Playing(busy)).models()
    assert min(pauses) >= 1
    assert max(pauses) > 3


def test_retries_are_as_many_as_asked_for(client_of):
    server = Playing(429)
    with pytest.raises(BusyError):
        client_of(server, retries=0).models()
    assert len(server.requests) == 1


def test_who_never_answered_is_given_up_soon(client_of):
    server = Playing(REFUSED)
    with pytest.raises(UnreachableError) as caught:
        client_of(server).models()
    assert len(server.requests) == 3
    assert "http://127.0.0.1:8000/ cannot be reached" in str(caught.value)
    assert "is `snaplink serve` running there?" in str(caught.value)


def test_a_restart_goes_unnoticed(client_of):
    server = Playing("fine", CUT, *[REFUSED] * 4, 503, 503, "fine")
    client = client_of(server)
    assert client.models() == client.models() == []
    assert len(server.requests) == 9


def test_an_answer_that_is_cut_is_asked_for_again(client_of):
    server = Playing(CUT, httpx.ReadError("reset"), "fine")
    assert client_of(server).models() == []


def test_a_proxy_whose_server_restarts_is_asked_again(client_of):
    gateway = httpx.Response(502, text="<html>Bad Gateway</html>")
    assert client_of(Playing(gateway, "fine")).models() == []


def test_an_answer_that_takes_too_long_is_not_asked_for_again(client_of):
    server = Playing(httpx.ReadTimeout("slow"))
    with pytest.raises(UnreachableError, match=r"within 7 s.*\(timeout=\)"):
        client_of(server, timeout=7).models()
    assert len(server.requests) == 1


def test_a_request_that_ran_out_of_the_servers_time_is_not_sent_again(client_of):
    server = Playing(504)
    with pytest.raises(BusyError, match="no: 504"):
        client_of(server).models()
    assert len(server.requests) == 1


def every_kind(error: type[Exception]) -> list[type[Exception]]:
    return [error, *(each for kind in error.__subclasses__() for each in every_kind(kind))]


@pytest.mark.parametrize("kind", every_kind(httpx.RequestError), ids=lambda kind: kind.__name__)
def test_no_error_of_the_transport_gets_through(client_of, kind: type[Exception]):
    with pytest.raises(ServerError, match=r"http://127\.0\.0\.1:8000/"):
        client_of(Playing(kind("because"))).models()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(200, text="<html>It works!</html>"), "is it running there"),
        (httpx.Response(200, json={"hello": "world"}), "there is no 'data'"),
        (httpx.Response(200, json=[1, 2]), "is it running there"),
        (httpx.Response(200, json={"data": [{"id": 1}]}), "there is no 'dim'"),
        (httpx.Response(404, text="<html>nothing</html>"), "404 Not Found to v1/models"),
        (httpx.Response(404, json={"detail": "Not Found"}), "404 Not Found to v1/models"),
        (httpx.Response(301, headers={"Location": "https://gpu-box/"}), "to https://gpu-box/"),
    ],
    ids=["page", "other JSON", "list", "half", "404 page", "404 JSON", "redirect"],
)
def test_another_program_is_told_apart(client_of, answer: httpx.Response, says: str):
    with pytest.raises(AnswerError) as caught:
        client_of(Playing(answer)).models()
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"index": 1, "embedding": "AAAA"},
        {"index": 0, "embedding": "AAA"},
        {"index": 0, "embedding": [1.0]},
        {"index": 0, "embedding": "AAA="},
    ],
)
def test_vectors_that_are_none_are_not_returned(client_of, row: dict[str, object]):
    with pytest.raises(AnswerError):
        client_of(Playing(httpx.Response(200, json={"data": [row]}))).embed_texts(["a"])


def test_fewer_vectors_than_texts_are_not_returned(client_of):
    row = {"index": 0, "embedding": "AACAPwAAAAA="}
    with pytest.raises(AnswerError, match="1 results for 2 inputs"):
        client_of(Playing(httpx.Response(200, json={"data": [row]}))).embed_texts(["a", "b"])


def test_a_token_is_shown_to_the_server_alone(client_of, monkeypatch: pytest.MonkeyPatch):
    server = Playing("fine")
    monkeypatch.setenv("SNAPLINK_TOKEN", "of-the-environment\n")
    ways = [
        {"token": "given"},
        {"url": "http://gpu-box:8000/#token=of-the%2Daddress"},
        {},
    ]
    for options in ways:
        client = client_of(server, **options)
        client.models()
        assert "given" not in repr(client)
        assert "token" not in repr(client)
    shown = [request.headers["Authorization"] for request in server.requests]
    assert shown == ["Bearer given", "Bearer of-the-address", "Bearer of-the-environment"]
    assert not server.requests[1].url.fragment


def test_a_wrong_token_is_said_to_be_one(client_of):
    server = Playing(401)
    with pytest.raises(TokenError, match="SNAPLINK_TOKEN") as caught:
        client_of(server, token="secret").models()
    assert "secret" not in str(caught.value)
    assert len(server.requests) == 1


def test_a_failure_inside_the_server_gives_the_number_to_look_for(client_of):
    failed = httpx.Response(
        500, headers={"X-Request-ID": "4711"}, json={"error": {"message": "failed"}}
    )
    with pytest.raises(ServerError, match="request id 4711"):
        client_of(Playing(failed)).models()


def test_a_proxy_that_takes_less_is_named(client_of):
    with pytest.raises(RefusedError, match="client_max_body_size"):
        client_of(Playing(httpx.Response(413, text="<html>"))).embed_pictures([b"one"])


def test_a_certificate_that_is_not_trusted_is_not_tried_again(client_of):
    server = Playing(httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"))
    with pytest.raises(UnreachableError, match="SSL_CERT_FILE"):
        client_of(server).models()
    assert len(server.requests) == 1


@pytest.mark.parametrize("url", ["https://localhost:8443", "https://gpu-box"])
def test_certificates_of_the_environment_are_trusted(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pem = Path(certifi.where()).read_text(encoding="utf-8")
    one = pem[pem.index("-----BEGIN") :].partition("-----END CERTIFICATE-----")
    (tmp_path / "authority.pem").write_text("".join(one[:2]), encoding="utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    options = server_at(url, None, None, 60, 8).options
    assert len(options["verify"].get_ca_certs()) == 1
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    with pytest.raises(ArgumentError, match="SSL_CERT_FILE names cannot be read"):
        Client(url)


def test_ready_says_so_without_asking_twice(client_of):
    for step, expected in [("fine", True), (503, False), (REFUSED, False)]:
        server = Playing(step)
        assert client_of(server).ready() is expected
        assert len(server.requests) == 1
    with pytest.raises(AnswerError):
        client_of(Playing(httpx.Response(404, text="another program"))).ready()


def test_waiting_ends_when_the_server_is_ready(client_of):
    server = Playing(REFUSED, REFUSED, 503, 503, 503, "fine")
    assert client_of(server).wait_until_ready() is None
    assert len(server.requests) == 6
    assert {request.url.path for request in server.requests} == {"/readyz"}


@pytest.mark.parametrize(("step", "kind"), [(503, BusyError), (REFUSED, UnreachableError)])
def test_waiting_ends_when_the_time_is_over(client_of, step: Step, kind: type[ServerError]):
    with pytest.raises(kind, match=r"not ready within 0\.1 s: "):
        client_of(Playing(step)).wait_until_ready(0.1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"url": "127.0.0.1:8000"}, "http://127.0.0.1:8000"),
        ({"url": "gpu-box"}, "no address"),
        ({"url": "ftp://gpu-box"}, "no address"),
        ({"url": "http://"}, "no address"),
        ({"url": "http://gpu-box:port"}, "no address"),
        ({"url": "http://me:secret@gpu-box"}, "user name"),
        ({"token": "ümläut"}, "characters"),
        ({"token": "two\nlines"}, "characters"),
        ({"timeout": 0}, "timeout is 0"),
        ({"retries": -1}, "retries is -1"),
    ],
)
def test_what_cannot_be_a_server_is_refused_at_once(options: dict[str, object], says: str):
    with pytest.raises(ArgumentError, match=says):
        Client(**options)


def test_an_address_may_have_a_path(client_of: Callable[..., Client]):
    server = Playing("fine")
    client_of(server, url="https://example.com/clip").models()
    assert str(server.requests[0].url) == "https://example.com/clip/v1/models"


def test_errors_travel_between_processes():
    error = RefusedError("where: what", status=400, problem="what", param="input[0]", code="c")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.status, copy.problem, copy.param, copy.code) == (
        "where: what",
        400,
        "what",
        "input[0]",
        "c",
    )


def test_leaving_the_block_closes_the_connections():
    with Client(transport=httpx.MockTransport(Playing("fine"))) as client:
        client.models()
    with pytest.raises(RuntimeError, match="closed"):
        client.models()
