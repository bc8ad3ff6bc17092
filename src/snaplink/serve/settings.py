"""What `snaplink serve` was told: which model and store, where, and how much it accepts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from snaplink.errors import ArgumentError

__all__ = ["Settings"]

_MIB = 1 << 20
_AT_LEAST_ONE = (
    "max_batch",
    "queue",
    "max_picture",
    "max_body",
    "max_pixels",
    "max_inputs",
    "max_labels",
    "max_templates",
    "max_text",
)


@dataclass(frozen=True)
class Settings:
    """How a server is set up.

    Attributes:
        model: name or path as `snaplink.load_encoder` takes it; None is the store's model, or the
            built-in one.
        store: what is searched; None is a store of example pictures.
        device, precision: see `snaplink.load_encoder`.
        host: where it listens; clients may call it so.
        token: what clients have to show; None for none.
        allow_hosts: further names by which clients reach the server.
        max_batch: texts or pictures that the model runs at once.
        max_wait: seconds for which a batch that could run waits for pictures that are on their
            way, and for clients who were just answered.
        queue: inputs that may wait for the model at once.
        time_limit: seconds in which a request is answered.
        decode_limit: seconds that a picture may take to decode.
        workers: processes that decode; None is one a core.
        max_picture, max_body: bytes of one picture, and of a request.
        max_pixels: of one picture, by what its file says before it is decoded.
        max_inputs: texts and pictures in one request.
        max_labels, max_templates: of one classification.
        max_text: characters of one text.
        remembered: bytes of vectors of texts and labels that are kept for when they come again.
        fetch_urls: whether pictures of other servers are fetched.

    Raises:
        ArgumentError: a limit leaves nothing to do.
    """

    model: str | None = None
    store: Path | None = None
    device: str | None = None
    precision: str | None = None
    host: str = "127.0.0.1"
    token: str | None = None
    allow_hosts: tuple[str, ...] = ()
    max_batch: int = 32
    max_wait: float = 0.02
    queue: int = 1024
    time_limit: float = 30.0
    decode_limit: float = 10.0
    workers: int | None = None
    max_picture: int = 20 * _MIB
    max_body: int = 64 * _MIB
    max_pixels: int = 100_000_000
    max_inputs: int = 256
    max_labels: int = 1000
    max_templates: int = 100
    max_text: int = 10_000
    remembered: int = 64 * _MIB
    fetch_urls: bool = False

    def __post_init__(self) -> None:
        for name in _AT_LEAST_ONE:
            _refuse_unless(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in ("time_limit", "decode_limit"):
            _refuse_unless(getattr(self, name) > 0, name, getattr(self, name), "more than 0")
        for name in ("max_wait", "remembered"):
            _refuse_unless(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        _refuse_unless(
            self.workers is None or self.workers >= 1, "workers", self.workers, "at least 1"
        )

    def __repr__(self) -> str:
        """Without the token, so that no log has it."""
        shown = (field.name for field in fields(self) if field.name != "token")
        return f"Settings({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"


def _refuse_unless(good: bool, name: str, value: object, least: str) -> None:
    if not good:
        raise ArgumentError(f"{name.replace('_', ' ')} is {value}: it has to be {least}")
