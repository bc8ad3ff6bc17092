"""The files that the attacks start from are good: a corpus that always fails would prove nothing."""

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
