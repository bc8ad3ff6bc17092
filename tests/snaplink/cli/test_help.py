"""Every `--help` answers at once, and the shells complete."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from snaplink.cli import VERBS

HEAVY = {"torch", "numpy", "PIL", "clip", "rich", "httpx"}


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_imports_nothing_heavy(verb, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    script = (
        "import sys\n"
        "from snaplink.cli import snaplink\n"
        "from snaplink.cli.exits import run\n"
        "code = run(snaplink, [*sys.argv[1:], '--help'])\n"
        f"print(*({HEAVY!r} & set(sys.modules)), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    arguments = [verb] if verb else []
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, encoding="utf-8"
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert f"Usage: snaplink {verb}".strip() in done.stdout
    assert "..." not in done.stdout.partition("Commands:")[2]  # no verb's line is cut


def test_no_arguments_show_the_help(typed):
    assert typed() == typed("--help")


def test_the_version_is_the_distributions(started):
    from importlib.metadata import version

    assert started("--version").out.strip() == f"snaplink {version('snaplink')}"


@pytest.mark.parametrize("said", [{}, {"LRU_CACHE_CAPACITY": "7"}])
def test_what_is_kept_for_shapes_is_little_unless_somebody_said_how_much(said):
    script = (
        "import atexit, os, sys\n"
        "from snaplink.cli import main\n"
        "assert 'torch' not in sys.modules\n"  # it would have asked before
        "for name in ('LRU_CACHE_CAPACITY', 'ONEDNN_PRIMITIVE_CACHE_CAPACITY'):\n"
        "    atexit.register(lambda name=name: print(name, os.environ[name]))\n"
        "main()\n"
    )
    kept = {name: os.environ[name] for name in os.environ if "CACHE_CAPACITY" not in name}
    command = [sys.executable, "-c", script, "--version"]
    done = subprocess.run(command, env=kept | said, capture_output=True, encoding="utf-8")
    told = dict(line.split() for line in done.stdout.splitlines()[1:])
    assert told["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "128"
    assert told["LRU_CACHE_CAPACITY"] == said.get("LRU_CACHE_CAPACITY", "128")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_what_the_shell_is_to_run(typed, shell):
    ended = typed("completion", shell)
    assert (ended.code, ended.err) == (0, "")
    assert f"_SNAPLINK_COMPLETE={shell}_complete" in ended.out


def test_completion_knows_verbs_and_options(monkeypatch, started):
    monkeypatch.setenv("_SNAPLINK_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "snaplink c")
    monkeypatch.setenv("COMP_CWORD", "1")
    offered = [line.split(",")[1] for line in started().out.splitlines()]
    assert offered == [verb for verb in VERBS if verb.startswith("c")]
    assert len(offered) > 3
    monkeypatch.setenv("COMP_WORDS", "snaplink classify --u")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert started().out.strip() == "plain,--upright"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("completion", "Missing argument '"),
        ("completion tcsh", "'tcsh' is not one of 'bash', 'zsh', 'fish'."),
        ("completion bash zsh", "Got unexpected extra argument (zsh)"),
        ("completion --labels", "No such option"),
        ("complete bash", "No such command 'complete'"),
    ],
)
def test_wrong_usage(typed, arguments, message):
    ended = typed(*arguments.split())
    assert (ended.code, ended.out) == (2, "")
    assert message.rstrip(".") in ended.err
    assert ended.err.count("\n") == 1
