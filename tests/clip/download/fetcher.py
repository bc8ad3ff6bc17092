"""Processes that call `fetch`, started by forking one that has loaded everything: `fetcher.py`.

Reads orders from standard input, a JSON object a line: {"fetch": keyword arguments, "result":
path, "user": number or null, "without_locks": false}. Answers each with the process id; the child
writes "started", and then what came of it, to the result's path.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib.util
import json
import os
import signal
import sys
import tempfile
import types
from pathlib import Path


def stand_in_for_clip() -> None:
    """The package without its `__init__`, which would load torch for nothing."""
    package = types.ModuleType("clip")
    package.__path__ = importlib.util.find_spec("clip").submodule_search_locations
    sys.modules["clip"] = package


def no_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, "no locks here")


def main() -> None:
    stand_in_for_clip()
    from clip.download import Retry, fetch
    from clip.errors import DownloadError

    # Everything is loaded before it forks: that is quicker, and some children run as users who
    # cannot read the interpreter's files.
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(DownloadError):
        fetch("http://127.0.0.1:1", sha256="0" * 64, target=f"{folder}/a", retry=Retry(tries=1))
    assert "torch" not in sys.modules, "a download needs no torch"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        order = json.loads(line)
        if child := os.fork():
            print(child, flush=True)
            continue
        if order["without_locks"]:
            fcntl.flock = no_locks
        if order["user"]:
            os.setgroups([])
            os.setgid(order["user"])
            os.setuid(order["user"])
        result = Path(order["result"])
        result.write_text("started", encoding="utf-8")
        wanted = order["fetch"]
        wanted["retry"] = Retry(**wanted.pop("retry", {}))
        try:
            outcome = f"fetched {fetch(**wanted)}"
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
        draft = result.with_suffix(".draft")
        draft.write_text(outcome, encoding="utf-8")
        draft.replace(result)
        os._exit(0)


if __name__ == "__main__":
    main()
