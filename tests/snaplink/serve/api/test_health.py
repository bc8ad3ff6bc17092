"""What machines ask again and again."""

from __future__ import annotations

import base64

from prometheus_client.parser import text_string_to_metric_families


def test_alive_and_ready(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_prometheus_reads_what_happened(client, owl):
    def total(name: str, **labels: str) -> float:
        answer = client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        samples = [
            sample
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(sample.value for sample in samples)

    route = {"method": "POST", "route": "/v1/embeddings", "status": "200"}
    before = total("snaplink_requests_total", **route)
    pictures = total("snaplink_decode_seconds_count")
    hits = total("snaplink_text_cache_total", result="hit")
    for _ in range(2):
        client.post("/v1/embeddings", json={"input": "counted by nobody else"})
    url = "data:image/png;base64,"
    client.post("/v1/embeddings", json={"input": url + base64.b64encode(owl).decode()})
    assert total("snaplink_requests_total", **route) == before + 3
    assert total("snaplink_decode_seconds_count") == pictures + 1
    assert total("snaplink_text_cache_total", result="hit") >= hits + 1
    assert total("snaplink_batch_size_count", kind="picture") >= 1
    assert total("snaplink_request_seconds_count", route="/v1/embeddings") >= 3
