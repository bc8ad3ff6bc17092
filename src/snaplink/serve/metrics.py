"""What Prometheus is told, in a registry of the application's own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counts and times. Labels are few: templates of routes, never the paths that were asked for.

    >>> metrics = Metrics()
    >>> metrics.batch("text", 3, 0.01)
    >>> 'snaplink_batch_size_count{kind="text"} 1.0' in metrics.text().decode()
    True
    """

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "snaplink_requests", "Answers.", ["method", "route", "status"], registry=registry
        )
        self._latency = Histogram(
            "snaplink_request_seconds",
            "From a request's headers to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "snaplink_requests_in_flight", "Requests not yet answered.", registry=registry
        )
        self._batch_sizes = Histogram(
            "snaplink_batch_size",
            "Inputs that the model ran at once.",
            ["kind"],
            buckets=_SIZES,
            registry=registry,
        )
        self._encode = Histogram(
            "snaplink_encode_seconds",
            "The model's time for such a batch.",
            ["kind"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._waiting = Gauge(
            "snaplink_queue_depth", "Inputs that wait for the model.", ["kind"], registry=registry
        )
        self._decode = Histogram(
            "snaplink_decode_seconds",
            "Time to decode a picture.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._cache = Counter(
            "snaplink_text_cache",
            "Texts looked for in the cache of encoded ones.",
            ["result"],
            registry=registry,
        )
        self._restarts = Counter(
            "snaplink_decoder_restarts",
            "Decoders that were replaced, after a crash or over time.",
            registry=registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def batch(self, kind: str, size: int, seconds: float) -> None:
        """The model ran `size` inputs of a kind, "text" or "picture", in so many seconds."""
        self._batch_sizes.labels(kind).observe(size)
        self._encode.labels(kind).observe(seconds)

    def waiting(self, kind: str, count: int) -> None:
        """So many inputs of a kind wait now."""
        self._waiting.labels(kind).set(count)

    def decoded(self, seconds: float) -> None:
        """A picture was decoded."""
        self._decode.observe(seconds)

    def looked_up(self, hits: int, misses: int) -> None:
        """So many texts were, and were not, in the cache."""
        self._cache.labels("hit").inc(hits)
        self._cache.labels("miss").inc(misses)

    def decoder_restarted(self) -> None:
        """A decoder was replaced."""
        self._restarts.inc()

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)
