"""`snaplink serve` as people type it: started, asked, ended, and with every mistake."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch

import clip
from snaplink import Client
from snaplink.cli import snaplink
from snaplink.cli.exits import run
from snaplink.encoder import load_encoder

from ..serve.process import Running

EXAMPLES = Path(__file__).parents[3] / "examples"

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """A store of some examples."""
    path = tmp_path_factory.mktemp("store") / "few.store"
    pictures = [str(EXAMPLES / name) for name in ("owl.png", "cat.png", "guitar.png")]
    assert run(snaplink, ["embed", *pictures, "--out", str(path), "--workers", "1"]) == 0
    return path


@linux
def test_a_store_is_served_until_it_is_told_to_end(store):
    """A request that is in flight when the signal comes is answered; no token is in the log."""
    folder, token = store.parent, "chosen & token"
    with Running(str(store), "--workers", "1", TMPDIR=str(folder), SNAPLINK_TOKEN=token) as server:
        said = server.ready().wait_for("ready")
        assert (said["model"], said["rows"]) == ("tiny", 3)
        shown = {"Authorization": f"Bearer {token}"}
        with (
            server.client(headers=shown) as asking,
            Client(server.url, token) as client,
            half_sent(server.url, token) as slow,
        ):
            assert asking.get("/v1/models", headers={"Authorization": ""}).status_code == 401
            assert asking.get("/v1/models?token=chosen%20%26%20token").status_code == 200
            hits = client.search("an owl")
            assert Path(hits[0].key).name == "owl.png"
            while in_flight(asking) == 1:
                time.sleep(0.01)
            server.process.send_signal(signal.SIGTERM)
            server.wait_for("the server ends when all requests are answered")
            slow.sendall(REST)
            assert slow.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert server.ended() == 0
        events = [line["event"] for line in server.lines]
        assert events[-2:] == ["the server ends when all requests are answered", "request"]
        assert server.strange == []
        assert "chosen" not in str(server.lines)
    assert {path.name for path in folder.iterdir()} == {"few.store"}


REST = b'{"input": "an owl"}'


def half_sent(url: str, token: str) -> socket.socket:
    """A connection on which a request is on its way, up to the `REST`."""
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    head = (
        "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(REST)}\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    connection.sendall(head.encode())
    return connection


def in_flight(asking: httpx.Client) -> float:
    """Requests that the server is at, this one included."""
    lines = asking.get("/metrics").text.splitlines()
    return next(
        float(line.split()[1]) for line in lines if line.startswith("snaplink_requests_in_flight ")
    )


@linux
def test_examples_are_shown_without_a_store_and_leave_nothing(tmp_path):
    with Running("--workers", "1", TMPDIR=str(tmp_path)).ready() as server:
        with server.client() as asking:
            assert asking.get("/").headers["content-type"].startswith("text/html")
            assert asking.get("/v1/store").json()["demo"] is True
        children = decoders_of(server.process.pid)
        assert children
        assert list(tmp_path.iterdir())
        assert server.end(signal.SIGINT) == 0
        assert (server.strange, list(tmp_path.iterdir())) == ([], [])
        assert not any(map(runs, children))


def decoders_of(pid: int) -> list[int]:
    """The processes that this one has started."""
    numbers = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [number for number in numbers if stat(number)[1:2] == [str(pid)]]


def runs(pid: int) -> bool:
    """Has it not ended? A zombie has: whoever inherited it may be slow to take note."""
    return stat(pid)[:1] not in ([], ["Z"])


def stat(pid: int) -> list[str]:
    """Of a process: its state, its parent, and so on; nothing where there is none."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return []
    return said.rpartition(")")[2].split()


@linux
def test_it_ends_at_once_while_it_is_still_loading(tmp_path):
    with Running("--workers", "1", TMPDIR=str(tmp_path)) as server:
        with server.client() as asking:
            assert asking.get("/healthz").status_code == 200
        assert server.end() == 0
        assert server.strange == []
        assert "ready" not in {line["event"] for line in server.lines}
    assert list(tmp_path.iterdir()) == []


@linux
def test_clients_do_not_notice_that_it_was_killed_and_started_again():
    texts = [f"a picture of {number} cats" for number in range(40)]
    expected = load_encoder("tiny").encode_texts(texts, normalize=True).numpy()
    until = threading.Event()
    patience = 24  # retries, of five seconds: a busy machine may take a minute to start a server
    with Running("--workers", "1").ready() as first, Client(first.url, retries=patience) as client:
        port = first.url.rpartition(":")[2]

        answered = [0] * 8

        def ask(worker: int) -> None:
            while not until.is_set():
                number = (worker * 7 + answered[worker]) % len(texts)
                answer = client.embed_texts([texts[number]])
                assert np.abs(answer[0] - expected[number]).max() < 1e-5
                answered[worker] += 1

        with ThreadPoolExecutor(8) as threads:
            asking = [threads.submit(ask, worker) for worker in range(8)]
            try:
                while min(answered) < 3:
                    assert not any(each.done() for each in asking), asking
                    time.sleep(0.01)
                children = decoders_of(first.process.pid)
                first.process.kill()
                first.process.wait()
                with Running("--workers", "1", "--port", port).ready() as second:
                    assert second.url == first.url
                    until.set()  # what was asked of the first is answered by the second
                    for each in asking:
                        each.result()
                    with second.client() as metrics:
                        lines = metrics.get("/metrics").text.splitlines()
                    assert second.end() == 0
            finally:
                until.set()
    counted = next(line for line in lines if 'route="/v1/embeddings",status="200"' in line)
    assert float(counted.split()[-1]) >= 8  # the second has answered, too
    assert not any(map(runs, children))


@linux
def test_a_terminal_shows_where_to_click_and_how_to_stop(store):
    """The token stands there, and nowhere in the log; a second Ctrl-C waits for nobody."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "snaplink", "serve", str(store), "--workers", "1"]
    process = subprocess.Popen([*command, "--host", "0.0.0.0", "--port", "0"], stderr=theirs)
    os.close(theirs)
    try:
        said = read_until(ours, "Ctrl-C")
        page = re.sub(r"\x1b\[\d+m", "", next(w for w in said.split() if "#token=" in w))
        address, _, token = page.partition("#token=")
        assert address.startswith("http://127.0.0.1:")
        assert len(token) >= 24
        assert f"http://{socket.gethostname()}:{address.split(':')[2]}#token={token}" in said
        assert "tiny, fp32" in said
        assert "few.store, 3 rows" in said
        with Client(page) as client:
            assert len(client.search("an owl")) == 3
        with half_sent(address, token):
            shown = {"Authorization": f"Bearer {token}"}
            asking = httpx.Client(base_url=address, headers=shown, trust_env=False, timeout=60)
            with asking:
                while in_flight(asking) == 1:
                    time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            rest = read_until(ours, "when all requests are answered")
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 128 + signal.SIGINT
        assert "POST /v1/search 200" in rest
        assert token not in rest
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)


def read_until(terminal: int, end: str) -> str:
    said = ""
    while end not in said:
        said += os.read(terminal, 65536).decode()
    return said


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--token", "abc", "--no-auth"], 2, "--token (or SNAPLINK_TOKEN) and --no-auth"),
        (["--token", "grün"], 2, "a token has letters, digits"),
        (["--token", ""], 2, "a token has letters, digits"),
        (["--host", "0.0.0.0"], 2, "no terminal to print a token to"),
        (["--host", "no.such.host.invalid", "--no-auth"], 1, "is not known"),
        (["--host", "192.0.2.1", "--no-auth"], 1, "is not this machine"),
        (["--port", "70000"], 2, "70000"),
        (["--queue", "0"], 2, "queue"),
        (["--time-limit", "0"], 2, "time-limit"),
        (["--model", "no-such-model"], 1, "no-such-model"),
        (["no.store"], 1, "no.store"),
        (["one.store", "two.store"], 2, "unexpected extra argument"),
    ],
)
def test_mistakes_are_a_line(started, arguments, code, message):
    ended = started("serve", "--port", "0", *arguments)
    assert "Traceback" not in ended.err
    assert message in ended.err.splitlines()[-1]
    assert ended.err.splitlines()[-1].startswith("snaplink: ")
    assert (ended.code, ended.out) == (code, "")


def test_a_port_that_is_taken(started):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = started("serve", "--port", str(port))
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert f"port {port} of 127.0.0.1 is in use" in ended.err


def test_a_store_of_another_model(started, store, tmp_path):
    """Told while the model loads in the background."""
    model, _ = clip.load("tiny")
    weights = {name: value * 1.01 for name, value in model.state_dict().items()}
    torch.save(weights, tmp_path / "other.pt")
    ended = started("serve", str(store), "--port", "0", "--model", str(tmp_path / "other.pt"))
    last = ended.err.splitlines()[-1]
    assert ended.code == 1
    assert last.startswith("snaplink: ")
    assert "few.store" in last
    assert "Traceback" not in ended.err


def test_a_missing_package_is_named(monkeypatch, typed):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    for name in [each for each in sys.modules if each.startswith("snaplink.serve")]:
        monkeypatch.delitem(sys.modules, name)
    ended = typed("serve", "--port", "0")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines()[-1].endswith('need uvicorn: pip install "snaplink[serve]"')
