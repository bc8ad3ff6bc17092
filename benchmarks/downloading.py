"""A download from a server on the same machine, beside the Hub's own client."""

from __future__ import annotations

from contenders import ARCHIVE
from harness import WORKSHOP, alternate, publish, serving


def bench(rounds: int, quick: bool) -> None:
    with serving(WORKSHOP / ARCHIVE) as port:
        cases = {
            "snaplink, SHA-256 included": ("snaplink", port, str(WORKSHOP)),
            "huggingface_hub": ("huggingface_hub", port, str(WORKSHOP)),
        }
        results = alternate("download_once.py", cases, rounds)
    publish("download", "Download 354 MB from a server on the same machine", results)
