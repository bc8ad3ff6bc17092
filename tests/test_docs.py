"""The documentation is true: its Python runs, its commands work, its links lead somewhere.

A block that cannot run here (it wants a GPU, the network or somebody's weights) says so in its
fence: ```python not-run

A page that asks a server at SERVER is given one, of example pictures, at a port that is free.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from snaplink import Client

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```(\w+) *(not-run)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SERVER = "http://127.0.0.1:8000"
LINK = re.compile(r"!?\[[^]]*\]\(([^)\s]+)\)")


def blocks(page: Path, language: str) -> list[str]:
    """The page's blocks of a language that are to be run."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [body for name, not_run, body in found if name == language and not not_run]


def having(language: str) -> list[object]:
    return [pytest.param(page, id=page.name) for page in PAGES if blocks(page, language)]


@pytest.fixture
def in_a_workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with examples, a photo.jpg, photos and names.txt, as the pages assume."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "photos").mkdir()
    shutil.copy(next((ROOT / "examples").glob("*.png")), tmp_path / "photo.jpg")
    shutil.copy(tmp_path / "photo.jpg", tmp_path / "photos")
    (tmp_path / "names.txt").write_text("cat\nowl\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLIP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def server(page: Path, in_a_workshop: None) -> Iterator[str]:
    """The address to put in SERVER's place; nobody is there if the page does not ask."""
    if not any(SERVER in block for kind in ("python", "console") for block in blocks(page, kind)):
        yield SERVER
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "snaplink", "serve", "--port", str(port), "--workers", "1"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        with Client(address) as client:
            client.wait_until_ready()
        yield address
    finally:
        process.terminate()
        assert process.wait(60) == 0


@pytest.mark.parametrize("page", having("python"))
def test_the_python_of_a_page_runs_from_top_to_bottom(page: Path, server: str):
    script = Path("page.py")
    text = "\n".join(blocks(page, "python")).replace(SERVER, server)
    script.write_text(text, encoding="utf-8")
    runpy.run_path(str(script), run_name="__main__")


@pytest.mark.parametrize("page", having("console"))
def test_the_commands_of_a_page_work(page: Path, server: str):
    for block in blocks(page, "console"):
        for line in block.splitlines():
            if command := runnable(line.replace(SERVER, server)):
                done = subprocess.run(
                    command,
                    capture_output=True,
                    encoding="utf-8",
                    env={**os.environ, "PYTHONUTF8": "1"},
                )
                assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def runnable(line: str) -> list[str]:
    """What a line of a block runs; nothing if it is output, or a program that is not here."""
    words = shlex.split(line.partition(" > ")[0]) if line.startswith("$ ") else []
    if words[1:2] == ["snaplink"]:
        return [sys.executable, "-m", *words[1:]]
    if words[1:2] == ["curl"] and shutil.which("curl"):
        return [*words[1:], "--fail-with-body"]
    return []


OTHER_PAGES = sorted(
    page
    for folder in ("examples", "src", "tests", "training/tiny")
    for page in (ROOT / folder).rglob("*.md")
    if "cache" not in page.parts
)


@pytest.mark.parametrize("page", [*PAGES, *OTHER_PAGES], ids=lambda page: page.name)
def test_links_of_a_page_lead_to_files(page: Path):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        path = link.partition("#")[0]
        if path and "://" not in path:
            assert (page.parent / path).exists(), link


def test_the_command_line_reference_is_what_the_commands_say():
    script = runpy.run_path(str(ROOT / "scripts" / "make_command_line.py"))
    assert script["PAGE"].read_text(encoding="utf-8") == script["page"](), "run `make docs`"


def test_the_figures_shown_are_those_that_were_measured(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    on_page = runpy.run_path(str(ROOT / "benchmarks" / "tables.py"))["on_page"]
    results = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    assert results
    for path in results:
        kept = json.loads(path.read_text(encoding="utf-8"))
        page = (ROOT / kept.get("page", "docs/performance.md")).read_text(encoding="utf-8")
        assert on_page(page, path.stem, kept) == page, f"the page shows others than {path.name}"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    with_figures = runpy.run_path(str(ROOT / "benchmarks" / "summary.py"))["with_figures"]
    assert with_figures(readme) == readme
