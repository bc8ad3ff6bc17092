"""Where the two sides of every comparison come from.

The cases run in processes of their own: under ours as users have it, without torchvision and both
with and without gradients; and under openai/CLIP's own code in the peers' environment (`make
peers`). Without that environment ours is held against golden/results.npz.xz, which the same code
wrote (make_golden.py).
"""

from __future__ import annotations

import io
import lzma
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from . import materials
from .materials import Kit
from .runner import cases, differentiates, needs_torchvision

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PEERS = ROOT / ".venv-peers"
PEERS_PYTHON = PEERS / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
SECONDS = 1200

Results = Mapping[str, np.ndarray]


def call(python: Path | str, *arguments: object, source: Path | None = None) -> str:
    """Run a Python with only `source` added to what its environment imports."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if source is not None:
        environment["PYTHONPATH"] = str(source)
    command = [str(python), *map(str, arguments)]
    done = subprocess.run(
        command, env=environment, capture_output=True, encoding="utf-8", timeout=SECONDS
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stderr}"
    return done.stdout


def read(path: Path) -> dict[str, np.ndarray]:
    data = path.read_bytes()
    file = io.BytesIO(lzma.decompress(data) if path.suffix == ".xz" else data)
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def peers_python() -> Path:
    """The interpreter in which `import clip` is openai/CLIP's own code."""
    if not PEERS_PYTHON.exists():
        pytest.skip("the peers' environment is not set up: run `make peers`")
    return PEERS_PYTHON


@pytest.fixture(scope="session")
def lent_packages(peers_python: Path) -> Path:
    """The packages of the peers' environment, for programs of ours that need torchvision."""
    return next(peers_python.parents[1].glob("[Ll]ib/**/site-packages"))


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """The checkpoints: traced and saved by the original where it is installed."""
    folder = tmp_path_factory.mktemp("compat")
    if PEERS_PYTHON.exists():
        call(PEERS_PYTHON, HERE / "materials.py", folder)
        yield Kit(folder)
    else:
        yield materials.save_archives(folder)
    for path in folder.glob("*.pt"):
        path.unlink()


@pytest.fixture(scope="session")
def golden() -> Results:
    """What the original returned when make_golden.py was last run."""
    return read(HERE / "golden" / "results.npz.xz")


@pytest.fixture(scope="session")
def original(kit: Kit, golden: Results) -> Results:
    """What the original returns."""
    if not PEERS_PYTHON.exists():
        return golden
    out = kit.folder / "original.npz"
    call(PEERS_PYTHON, HERE / "runner.py", kit.folder, out)
    return read(out)


def _run_ours(kit: Kit, out: str, names: list[str], *arguments: object) -> Results:
    path = kit.folder / out
    call(
        sys.executable,
        HERE / "runner.py",
        *arguments,
        kit.folder,
        path,
        *names,
        source=ROOT / "src",
    )
    return read(path)


@pytest.fixture(scope="session")
def ours(kit: Kit) -> Results:
    """What ours returns, where torchvision is not installed."""
    names = [name for name, case in cases().items() if not needs_torchvision(case)]
    return _run_ours(kit, "ours.npz", names)


@pytest.fixture(scope="session")
def ours_without_gradients(kit: Kit) -> Results:
    """The same as inference runs it, where the faster kernels may answer."""
    names = [
        name
        for name, case in cases().items()
        if not (needs_torchvision(case) or differentiates(case))
    ]
    return _run_ours(kit, "ours_without_gradients.npz", names, "--no-grad")


@pytest.fixture(scope="session")
def ours_with_torchvision(kit: Kit, lent_packages: Path) -> Results:
    """What ours returns in the cases that use torchvision."""
    names = [name for name, case in cases().items() if needs_torchvision(case)]
    return _run_ours(kit, "ours_with_torchvision.npz", names, "--also", lent_packages)
