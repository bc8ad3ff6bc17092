"""Who may ask, from where, and what browsers may do with the answers."""

from __future__ import annotations

import asyncio
import json

import pytest
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse

from snaplink.serve.refusals import Refusals
from snaplink.serve.security import Door, Headers, Session, accepted_names

TOKEN = "a token with spaces & signs"
HERE = "127.0.0.1:8000"


def inside(token: str | None = None, names: tuple[str, ...] = ("localhost",)) -> TestClient:
    """Someone before a door, behind which everything is answered with 200."""
    answer = PlainTextResponse("come in")
    door = Door(answer, session=Session(token), names=names)
    return TestClient(Headers(Refusals(door)), base_url=f"http://{HERE}")


def code(answer) -> str:
    return answer.json()["error"]["code"]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "192.168.1.7:80", "[::1]:8000", "box"]
)
def test_names_and_addresses_of_ours_are_heard(host):
    assert inside(names=("localhost", "box")).get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"]
)
def test_a_name_that_was_bent_to_this_server_is_refused(host):
    answer = inside().get("/", headers={"Host": host})
    assert (answer.status_code, code(answer)) == (403, "unknown_host")
    assert f"--allow-host {host}" in answer.json()["error"]["message"]


@pytest.mark.parametrize("host", ["", "localhost:99999", "localhost:x", "user@localhost", "[::1"])
def test_a_host_that_is_none_is_refused(host):
    assert inside().get("/", headers={"Host": host}).status_code == 400


def test_exactly_one_host():
    async def status(headers):
        sent = []
        scope = {
            "type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"",
            "headers": headers,
        }  # fmt: skip

        async def send(message):
            sent.append(message)

        app = Refusals(Door(PlainTextResponse(""), session=Session(None), names=("localhost",)))
        await app(scope, None, send)
        return sent[0]["status"]

    assert asyncio.run(status([(b"host", b"localhost")])) == 200
    assert asyncio.run(status([])) == 400
    assert asyncio.run(status([(b"host", b"localhost"), (b"host", b"localhost")])) == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # no browser
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),  # another port of this machine
        ({"Origin": f"http://{HERE}"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:3000"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[evil"}, 403),
        ({"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_other_sites_may_not_use_a_browser_of_ours(headers, status):
    answer = inside().post("/v1/embeddings", headers=headers)
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers


def test_a_link_from_elsewhere_opens_the_page_and_nothing_else():
    visit = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    assert inside().get("/", headers=visit).status_code == 200
    assert inside().post("/", headers=visit).status_code == 403
    assert inside().get("/v1/search", headers=visit).status_code == 403
    assert inside().get("/", headers={**visit, "Sec-Fetch-Dest": "iframe"}).status_code == 403


def test_the_token_opens():
    asking = inside(TOKEN)
    answer = asking.get("/v1/models")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["type"] == "authentication_error"
    for shown in (f"Bearer {TOKEN}", f"bearer  {TOKEN}"):
        assert asking.get("/v1/models", headers={"Authorization": shown}).status_code == 200
    for shown in ("Bearer", "Bearer another", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü"):
        answer = asking.get("/v1/models", headers={"Authorization": shown.encode("latin-1")})
        assert answer.status_code == 401
        assert TOKEN not in answer.text


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/static/main.js", "/session"])
def test_what_needs_no_token(path):
    assert inside(TOKEN).get(path).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/openapi.json", "/v1/store", "/static", "/healthz/"])
def test_what_does(path):
    assert inside(TOKEN).get(path).status_code == 401


def test_the_cookie_opens_whatever_lies_beside_it():
    session = Session(TOKEN)
    assert TOKEN not in session.proof
    pair = f"{session.cookie}={session.proof}"
    for cookies, opens in (
        (pair, True),
        (f'other={{"a": [1]}}; bad[=x; {pair}; last=1', True),
        (f"{session.cookie}={'0' * 64}", False),
        (f"{session.cookie}=", False),
        (f"{session.cookie}={TOKEN}", False),
        ("", False),
    ):
        answer = inside(TOKEN).get("/v1/models", headers={"Cookie": cookies})
        assert (answer.status_code == 200) is opens, cookies
    assert Session("another").cookie != session.cookie
    assert Session("another").proof != session.proof


def test_heads_have_a_size():
    assert inside().get("/", headers={"X-Long": "a" * 60_000}).status_code == 200
    answer = inside().get("/", headers={"X-Long": "a" * 70_000})
    assert (answer.status_code, code(answer)) == (431, "headers_too_large")
    assert inside().get(f"/{'a' * 33_000}?q={'a' * 20_000}").status_code == 200
    assert inside().get(f"/{'a' * 33_000}?q={'a' * 32_500}").status_code == 431


@pytest.mark.parametrize("path", ["/", "/v1/nothing", "/static/main.js", "/v1/models"])
def test_strict_headers_are_on_every_answer(client, path):
    headers = client.get(path).headers
    policy = dict(each.split(" ", 1) for each in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers
    assert headers["cache-control"] in ("no-store", "no-cache")


def test_headers_that_a_route_sets_stay():
    app = Headers(PlainTextResponse("", headers={"Cache-Control": "private, max-age=60"}))
    answer = TestClient(app).get("/")
    assert answer.headers.get_list("cache-control") == ["private, max-age=60"]


def test_names_of_a_server_that_others_reach():
    assert accepted_names("127.0.0.1", ()) == {"localhost", "127.0.0.1"}
    assert accepted_names("127.0.0.1", ("proxy",)) == {"localhost", "127.0.0.1", "proxy"}
    assert len(accepted_names("0.0.0.0", ())) > 2


def test_a_session_in_a_browser(client):
    """Of a server without a token: to show one does no harm, and gives no cookie."""
    answer = client.post("/session", json={"token": "x"})
    assert (answer.status_code, answer.headers.get("set-cookie")) == (204, None)
    wrong = client.post("/session", json={"token": 5})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (422, "token")
    assert json.loads(client.post("/session", json={}).text)["error"]["param"] == "token"
