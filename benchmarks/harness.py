"""Fresh processes, one after the other in turn, and what they report as tables and JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]
WORKSHOP = ROOT / ".cache" / "benchmarks"
RESULTS = Path(__file__).parent / "results"
PAGE = ROOT / "docs" / "performance.md"
PEERS = ROOT / ".venv-peers" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

Measurement = dict[str, Any]


def run(script: str, contender: str, *arguments: str) -> Measurement:
    """Run a script of this folder in the contender's environment; it prints JSON last."""
    python = sys.executable if contender == "snaplink" else str(PEERS)
    command = [python, "-W", "ignore", str(Path(__file__).with_name(script)), contender]
    quiet = {**os.environ, "TQDM_DISABLE": "1"}
    done = subprocess.run(
        [*command, *arguments], stdout=subprocess.PIPE, encoding="utf-8", check=True, env=quiet
    )
    measurement: Measurement = json.loads(done.stdout.splitlines()[-1])
    return measurement


def alternate(
    script: str, cases: Mapping[str, Sequence[str]], rounds: int
) -> dict[str, Measurement]:
    """Medians over A B A B …: a machine that slows down slows all of them.

    Args:
        script: what to run, see `run`.
        cases: a name for the table to the contender and its arguments.
        rounds: how often each case runs.
    """
    seen: dict[str, list[Measurement]] = {name: [] for name in cases}
    for turn in range(rounds):
        for name, (contender, *arguments) in cases.items():
            print(f"\r{turn + 1}/{rounds} {name:<40}", end="", file=sys.stderr, flush=True)
            seen[name].append(run(script, contender, *arguments))
    print("\r" + " " * 50 + "\r", end="", file=sys.stderr)
    return {name: _medians(measurements) for name, measurements in seen.items()}


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


def _medians(measurements: Sequence[Measurement]) -> Measurement:
    return {key: median(each[key] for each in measurements) for key in measurements[0]}


def publish(name: str, title: str, results: Mapping[str, Measurement]) -> None:
    """Print the results as a table, keep them in results/NAME.json, and put them on the page."""
    print(f"\n{title}\n\n{rendered(results)}")
    RESULTS.mkdir(exist_ok=True)
    kept = {"title": title, "machine": machine(), "results": results}
    text = json.dumps(kept, indent=2, ensure_ascii=False) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    PAGE.write_text(on_page(PAGE.read_text(encoding="utf-8"), name, kept), encoding="utf-8")


def on_page(page: str, name: str, kept: Mapping[str, Any]) -> str:
    """The page with a benchmark's results in their place."""
    machine = ", ".join(kept["machine"].values())
    return between_marks(
        page, name, f"**{kept['title']}**\n\n{rendered(kept['results'])}\n\n{machine}"
    )


def between_marks(page: str, name: str, section: str) -> str:
    """The page with this section between its two marks.

    >>> print(between_marks("<!-- a --><!-- end of a -->", "a", "one"))
    <!-- a -->
    one
    <!-- end of a -->
    """
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, rest = page.split(start)
    return f"{before}{start}\n{section}\n{end}{rest.split(end)[1]}"


def rendered(results: Mapping[str, Measurement]) -> str:
    """A row for each case, a column for each quantity, to three digits.

    >>> print(rendered({"cat": {"s": 0.12345}, "dog": {"s": 7}}))
    |     | s     |
    |-----|-------|
    | cat | 0.123 |
    | dog | 7     |
    """
    columns = list(next(iter(results.values())))
    rows = [
        [case, *(figure(result[column]) for column in columns)] for case, result in results.items()
    ]
    return table(["", *columns], rows)


def figure(value: float) -> str:
    """Three digits, or all of a whole number."""
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:#.3g}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown, with the columns under each other.

    >>> print(table(["", "s"], [["a cat", "1"]]))
    |       | s |
    |-------|---|
    | a cat | 1 |
    """
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    ruler = ["-" * (width + 2) for width in widths]
    padded = [
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    head_row, *body = [f"| {line} |" for line in padded]
    return "\n".join([head_row, f"|{'|'.join(ruler)}|", *body])


def machine() -> dict[str, str]:
    """What the figures were taken on."""
    return {
        "processor": f"{os.cpu_count()} cores of {_processor()}",
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"Python {platform.python_version()}",
        "torch": f"torch {version('torch')}",
        "date": date.today().isoformat(),
    }


def _processor() -> str:
    details = Path("/proc/cpuinfo")
    if details.exists():
        for line in details.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
