"""Loads one file after another in a process of its own, and watches what that does.

Reads paths from standard input, a line each; answers with a line of JSON each. `guard` in
conftest.py holds the other end.
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

FORBIDDEN = (
    *("os.", "subprocess.", "socket.", "shutil.", "ctypes.", "marshal.", "pickle.", "pty."),
    *("exec", "compile", "import", "code.__new__", "function.__new__", "webbrowser.", "ftplib."),
)
ALLOWED = ("os.listdir", "os.scandir")


class Watch:
    """Notes every event of the interpreter that loading a file must not cause."""

    def __init__(self) -> None:
        self.on = False
        self.events: list[str] = []
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        writes = event == "open" and any(letter in str(arguments[1]) for letter in "wax+")
        if writes or (event.startswith(FORBIDDEN) and event not in ALLOWED):
            self.events.append(f"{event} {str(arguments)[:100]}")


def memory(field: str) -> int:
    """Bytes, from /proc: VmRSS now, VmHWM the peak since it was last reset."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def reset_peak() -> int:
    """Forget the peak so far; gives the memory in use now."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return memory("VmRSS")


def digest(weights: dict[str, Any]) -> str:
    found = hashlib.sha256()
    for name in sorted(weights):
        found.update(f"{name} {tuple(weights[name].shape)}".encode())
        found.update(weights[name].float().numpy().tobytes())
    return found.hexdigest()


def try_to_load(path: str, watch: Watch) -> dict[str, Any]:
    import torch

    from clip import checkpoint
    from clip.errors import CheckpointError

    base = reset_peak()
    answer: dict[str, Any] = {"outcome": "refused"}
    start = time.perf_counter()
    watch.events, watch.on = [], True
    try:
        with checkpoint.open(path) as opened:
            weights = opened.read(lambda _, stored: torch.float32)
        answer = {"outcome": "loaded", "digest": "", "format": opened.format}
    except CheckpointError as error:
        weights = {}
        answer |= {"message": str(error), "advice": error.advice}
    except BaseException as error:  # anything else that gets out is what this looks for
        weights = {}
        answer = {"outcome": "leaked", "message": f"{type(error).__name__}: {error}"[:2000]}
    watch.on = False
    answer |= {
        "seconds": time.perf_counter() - start,
        "memory": memory("VmHWM") - base,
        "events": watch.events,
    }
    if weights:
        answer["digest"] = digest(weights)
    return answer


def main() -> None:
    import clip.checkpoint  # noqa: F401

    watch = Watch()
    gc.freeze()  # or every collection would go through all that torch has made
    for line in sys.stdin:
        print(json.dumps(try_to_load(json.loads(line), watch)), flush=True)


if __name__ == "__main__":
    main()
