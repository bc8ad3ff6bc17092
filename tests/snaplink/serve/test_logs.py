"""The log: a line for each request, an id to find it by, and no secrets."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import warnings

import pytest
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse

from snaplink.serve import logs
from snaplink.serve.logs import AccessLog
from snaplink.serve.metrics import Metrics


@pytest.fixture
def written(monkeypatch):
    """Configures the log, and gives what was written since then."""
    root = logging.getLogger()
    changed = [root, logging.getLogger("snaplink.serve"), logging.getLogger("uvicorn")]
    before, levels = root.handlers[:], [logger.level for logger in changed]
    stream = io.StringIO()

    def configured(*, terminal: bool):
        monkeypatch.setattr(sys, "stderr", stream)  # not before: pytest sets its own for the call
        logs.configure(terminal=terminal)
        return stream.getvalue

    yield configured
    logging.captureWarnings(False)
    root.handlers[:] = before
    for logger, level in zip(changed, levels, strict=True):
        logger.setLevel(level)


def asking(status: int = 200) -> TestClient:
    answer = PlainTextResponse("four", status)
    return TestClient(AccessLog(answer, metrics=Metrics()), base_url="http://127.0.0.1")


def test_a_request_is_a_json_line(written):
    lines = written(terminal=False)
    asking().post("/v1/thing?token=secret", headers={"Authorization": "Bearer secret"})
    (line,) = map(json.loads, lines().splitlines())
    assert line.keys() == {
        "time",
        "level",
        "event",
        "id",
        "method",
        "path",
        "status",
        "ms",
        "bytes",
    }
    assert (line["event"], line["method"], line["path"]) == ("request", "POST", "/v1/thing")
    assert (line["status"], line["bytes"], line["level"]) == (200, 4, "info")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert "secret" not in lines()


def test_people_read_a_line_without_what_steers_their_terminal(written):
    lines = written(terminal=True)
    asking().get("/caf%C3%A9%1b[2J%0a%C2%9b")
    assert re.fullmatch(r"\d\d:\d\d:\d\d GET /café\?\[2J\?\? 200 [\d.]+ ms 4 B\n", lines())


def test_what_machines_ask_every_second_is_logged_only_when_wrong(written):
    lines = written(terminal=False)
    for path in ("/healthz", "/readyz", "/metrics"):
        asking().get(path)
    assert lines() == ""
    asking(503).get("/readyz")
    assert json.loads(lines())["status"] == 503


def test_a_sane_id_is_kept():
    given = {"X-Request-ID": "trace-1.2:3_4"}
    assert asking().get("/", headers=given).headers["x-request-id"] == "trace-1.2:3_4"


@pytest.mark.parametrize("strange", ["", "a b", "a" * 65, 'a"b', "<script>", "é".encode()])
def test_any_other_is_replaced(strange):
    answers = [asking().get("/", headers={"X-Request-ID": strange}) for _ in range(2)]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in ids)
    assert ids[0] != ids[1]


def test_other_parts_warn_in_the_same_form(written):
    lines = written(terminal=False)
    logging.getLogger("PIL").warning("that is a strange picture")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("asyncio").error("a task")
    logging.getLogger("uvicorn.error").info("nobody wants to know")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("that is old", DeprecationWarning, stacklevel=1)
    said = [json.loads(line) for line in lines().splitlines()]
    assert [line["level"] for line in said] == ["warning", "error", "warning"]
    assert "that is old" in said[2]["event"]


@pytest.mark.parametrize("terminal", [True, False])
def test_mistakes_of_ours_bring_their_traceback(written, terminal):
    lines = written(terminal=terminal)
    try:
        raise ZeroDivisionError("of ours")
    except ZeroDivisionError:
        logging.getLogger("snaplink.serve").exception(
            "a request failed", extra={"facts": {"id": 7}}
        )
    assert "ZeroDivisionError: of ours" in lines()
    if not terminal:
        line = json.loads(lines())
        assert (line["event"], line["id"], line["level"]) == ("a request failed", 7, "error")
    else:
        assert "error: a request failed id=7" in lines()


def test_what_happens_to_the_server(written):
    lines = written(terminal=False)
    logs.event("ready", rows=5)
    said = json.loads(lines())
    assert (said["event"], said["rows"]) == ("ready", 5)


def test_metrics_have_few_labels(client):
    for number in range(3):
        client.get(f"/strange/{number}")
        client.request("BREW", "/v1/models")
        client.get(f"/v1/pictures/{number}")
    text = client.get("/metrics").text
    assert "strange" not in text
    assert "BREW" not in text
    assert 'method="GET",route="/v1/pictures/{id}",status="404"' in text
    assert 'method="other",route="/v1/models",status="405"' in text
    strange = re.search(r'requests_total{method="GET",route="none",status="404"} (.*)', text)
    assert strange is not None
    assert float(strange[1]) >= 3
    assert "snaplink_requests_in_flight 1.0" in text
