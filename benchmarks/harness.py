"""Fresh processes, one after the other in turn; what they report is printed, kept and shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from machine import machine, versions
from tables import on_page, rendered

ROOT = Path(__file__).parents[1]
WORKSHOP = ROOT / ".cache" / "benchmarks"
RESULTS = Path(__file__).parent / "results"
PAGE = ROOT / "docs" / "performance.md"
PEERS = ROOT / ".venv-peers" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

Measurement = dict[str, Any]
"""Quantities by name; None for what this case cannot measure."""

QUICK = "SNAPLINK_BENCH_QUICK"


def python_of(contender: str) -> str:
    """The interpreter of a contender: ours is this one, everybody else's that of `make peers`."""
    return sys.executable if contender.startswith("snaplink") else str(PEERS)


def run(script: str, contender: str, *arguments: str) -> Measurement:
    """Run a script of this folder in the contender's environment; it prints JSON last."""
    path = str(Path(__file__).with_name(script))
    quiet = {**os.environ, "TQDM_DISABLE": "1", "NNCF_CI": "1"}  # the latter: send no telemetry
    done = subprocess.run(
        [python_of(contender), "-W", "ignore", path, contender, *arguments],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
        env=quiet,
    )
    measurement: Measurement = json.loads(done.stdout.splitlines()[-1])
    return measurement


def alternate(
    script: str, cases: Mapping[str, Sequence[str]], rounds: int
) -> dict[str, Measurement]:
    """Medians of one script's figures over A B A B …

    Args:
        script: what to run, see `run`.
        cases: a name for the table to the contender and its arguments.
        rounds: how often each case runs.
    """
    return in_turn({name: partial(run, script, *case) for name, case in cases.items()}, rounds)


def in_turn(cases: Mapping[str, Callable[[], Measurement]], rounds: int) -> dict[str, Measurement]:
    """Medians over A B A B …: a machine that slows down slows all of them."""
    seen: dict[str, list[Measurement]] = {name: [] for name in cases}
    for turn in range(rounds):
        for name, measure in cases.items():
            print(f"\r{turn + 1}/{rounds} {name:<60}", end="", file=sys.stderr, flush=True)
            seen[name].append(measure())
    print("\r" + " " * 70 + "\r", end="", file=sys.stderr)
    return {name: _medians(measurements) for name, measurements in seen.items()}


def _medians(measurements: Sequence[Measurement]) -> Measurement:
    def middle(key: str) -> Any:
        values = [each[key] for each in measurements if each[key] is not None]
        return median(values) if values else None

    return {key: middle(key) for key in measurements[0]}


@contextmanager
def serving(file: Path) -> Iterator[str]:
    """The port of a server, in a process of its own, that has the file at every address."""
    command = [sys.executable, str(Path(__file__).with_name("file_server.py")), str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def publish(
    name: str,
    title: str,
    results: Mapping[str, Measurement],
    *,
    packages: Sequence[str] = (),
    page: Path = PAGE,
) -> None:
    """Print the results as a table, keep them in results/NAME.json, and put them on a page.

    In a quick run nothing is shown on pages, and the file goes to the workshop.

    Args:
        name: of the benchmark, and of its marks on the page.
        title: what was measured, with its unit and sizes.
        results: rows of the same columns.
        packages: the peers' whose versions stand beside the figures.
        page: where the marks are.
    """
    print(f"\n{title}\n\n{rendered(results)}", flush=True)
    kept = {
        "title": title,
        "page": page.relative_to(ROOT).as_posix(),
        "machine": machine(),
        "versions": versions(packages, str(PEERS)) if packages else [],
        "results": results,
    }
    folder = results_folder()
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(kept, indent=2, ensure_ascii=False) + "\n"
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
    if not is_quick():
        page.write_text(on_page(page.read_text(encoding="utf-8"), name, kept), encoding="utf-8")


def is_quick() -> bool:
    """Whether this run only checks that everything works."""
    return bool(os.environ.get(QUICK))


def results_folder() -> Path:
    return WORKSHOP / "quick" if is_quick() else RESULTS
