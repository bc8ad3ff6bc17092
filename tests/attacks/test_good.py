"""The files that the attacks start from are good: what always fails would prove nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FORMATS = (
    *("TorchScript", "zip", "legacy", "whole module", "whole module, legacy", "protocol 5"),
    "safetensors",
)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_loads_the_same_weights(guard, kit, name: str) -> None:
    verdict = guard.load(kit.good[name])
    assert verdict.outcome == "loaded", verdict.message
    assert verdict.digest == kit.digest


def test_files_put_together_from_parts_load_too(guard, kit) -> None:
    assert guard.load(kit.replaced()).digest == kit.digest


def test_a_large_file_takes_its_weights_and_little_more(guard, kit) -> None:
    """Half precision is doubled on the way; there is no copy in between."""
    rows = 400_000
    weight = kit.tensor("rows", rows * 64, (rows, 64), (64, 1), kind="HalfStorage")
    entries = kit.entries() | {"token_embedding.weight": weight}
    storages = kit.storages() | {"rows": bytes(rows * 128)}
    verdict = guard.load(kit.archive(kit.pickle(kit.dict(entries)), storages))
    assert verdict.outcome == "loaded", verdict.message
    assert rows * 256 < verdict.memory < rows * 256 + (16 << 20)


def test_the_guard_sees_what_a_pickle_would_do(kit) -> None:
    """The same watch, over Python's own unpickler: the attacks are real ones."""
    script = (
        "import pickle, sys, worker; watch = worker.Watch(); content = sys.stdin.buffer.read();"
        "watch.on = True; pickle.loads(content); watch.on = False; print(watch.events)"
    )
    payload = kit.pickle(kit.call("os", "system", kit.text("true")))
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=payload,
        capture_output=True,
        cwd=Path(__file__).parent,
        check=True,
    )
    assert b"os.system" in done.stdout
