"""Other implementations as oracles, in an environment of their own (`make peers`).

They cannot live beside us: clip-anytorch, which is openai/CLIP's own code, is a package called
`clip` too. So a test hands a short script to the fixture `peer`, which runs it there:

    def test_same_ids(peer):
        outputs = peer('''
            import clip
            outputs["ids"] = clip.tokenize(inputs["texts"])
        ''', texts=["a cat", "two dogs"])
        np.testing.assert_array_equal(clip.tokenize(["a cat", "two dogs"]), outputs["ids"])

- The script sees two dicts: `inputs`, what the test gave by keyword, and `outputs`, to be filled.
- numpy arrays and torch tensors travel as arrays (bfloat16 does not: cast it first), the rest as
  JSON: a str, number, list or dict. Files travel by their path, as a str.
- There are clip-anytorch (`import clip`), transformers, torchvision, open_clip, clip_benchmark,
  huggingface_hub and scikit-learn, beside torch, numpy and Pillow. No network, no weights.
- A call costs the imports of a fresh process, 2 to 8 seconds: ask for everything in one script,
  from a fixture of scope "module" (`peer` is of scope "session").
- Without the environment the tests are skipped; `make test` sets it up.
"""

from __future__ import annotations

import os
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import peer as exchange

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-peers" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
RUNNER = Path(__file__).with_name("peer.py")
SECONDS = 300

Peer = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    """A function that runs a script among the peers and returns its outputs by name."""
    if not PYTHON.exists():
        pytest.skip("the peers' environment is not set up: run `make peers`")

    def run(script: str, /, **inputs: Any) -> dict[str, Any]:
        folder = tmp_path_factory.mktemp("peer")
        (folder / "script.py").write_text(textwrap.dedent(script), encoding="utf-8")
        exchange.write(folder, inputs)
        done = subprocess.run(
            [PYTHON, "-I", RUNNER, folder], capture_output=True, encoding="utf-8", timeout=SECONDS
        )
        assert done.returncode == 0, f"the peer's script failed:\n{done.stderr}"
        return exchange.read(folder)

    return run
