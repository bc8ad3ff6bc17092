from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NETWORK_VARIABLES = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("CLIP_CACHE", "CLIP_MIRROR", "CLIP_OFFLINE", "XDG_CACHE_HOME"),
)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path):
    """No proxy, certificate, mirror or cache of the machine that the tests run on."""
    for name in NETWORK_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@dataclass(frozen=True)
class Content:
    """A file that a server has."""

    data: bytes
    sha256: str
    path: str  # on the server and on mirrors: <sha256>/<name>

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class Server:
    """A `faulty_server.py` in a process of its own."""

    _numbers = itertools.count()

    def __init__(self, folder: Path, certificate: Path | None = None) -> None:
        self.folder = folder
        self.scheme = "https" if certificate else "http"
        self.certificate = certificate
        command = [sys.executable, HERE / "faulty_server.py", folder, *filter(None, [certificate])]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8")
        self.port = int(self.process.stdout.readline())

    def content(self, data: bytes, name: str = "RN50.pt") -> Content:
        """A file with these bytes, served."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.folder / sha256 / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return Content(data, sha256, f"{sha256}/{name}")

    def play(self, *steps: dict) -> str:
        """A base address at which the requests are answered by these steps, in turn."""
        play = f"play-{next(self._numbers)}"
        path = self.folder / "plays" / f"{play}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(steps or ({},)), encoding="utf-8")
        return f"{self.scheme}://127.0.0.1:{self.port}/{play}"

    def log(self, base: str) -> list[dict]:
        """The requests at this base address so far: their headers, and `asked`."""
        url = f"{self.scheme}://127.0.0.1:{self.port}/log/{base.rpartition('/')[2]}"
        tls = ssl.create_default_context(cafile=self.certificate)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
        )
        with opener.open(url) as answer:
            return json.load(answer)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("served"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory, server):
    """The same files over https; only `tls_server.certificate` vouches for it."""
    pem = tmp_path_factory.mktemp("certificate") / "server.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
        f"-addext subjectAltName=IP:127.0.0.1 -keyout {pem} -out {pem}.crt"
    )
    try:
        subprocess.run(command.split(), check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs the openssl command to make a certificate")
    certificate = Path(f"{pem}.crt").read_text(encoding="utf-8")
    pem.write_text(pem.read_text(encoding="utf-8") + certificate, encoding="utf-8")
    server = Server(server.folder, pem)
    yield server
    server.stop()


@dataclass
class Job:
    """A process that calls `fetch`."""

    pid: int
    result: Path

    def outcome(self, patience: float = 120) -> str:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            text = self.result.read_text(encoding="utf-8") if self.result.exists() else "started"
            if text not in ("", "started"):
                return text
            time.sleep(0.005)
        raise TimeoutError(f"process {self.pid} did not end")

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        while self.is_alive():
            time.sleep(0.001)

    def is_alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True


@pytest.fixture(scope="session")
def start_process(tmp_path_factory):
    """``start_process(fetch's keyword arguments…)`` calls `fetch` in a process of its own."""
    if not hasattr(os, "fork"):
        pytest.skip("needs processes that can be forked and killed")
    source = subprocess.Popen(
        [sys.executable, HERE / "fetcher.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    results = tmp_path_factory.mktemp("results")
    numbers = itertools.count()

    def start(*, user=None, without_locks=False, folder: Path = results, **wanted) -> Job:
        result = folder / f"result-{next(numbers)}"
        wanted["target"] = str(wanted["target"])
        order = {
            "fetch": wanted,
            "result": str(result),
            "user": user,
            "without_locks": without_locks,
        }
        source.stdin.write(json.dumps(order) + "\n")
        source.stdin.flush()
        return Job(int(source.stdout.readline()), result)

    yield start
    source.stdin.close()
    source.stdout.close()
    source.wait()
