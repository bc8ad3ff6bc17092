"""What the figures were taken on: the machine, and the versions of what was compared."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import date
from importlib.metadata import version
from pathlib import Path


def machine() -> dict[str, str]:
    """The processor, the system, Python, torch and the day."""
    return {
        "processor": f"{os.cpu_count()} cores of {_processor()}",
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"Python {platform.python_version()}",
        "torch": f"torch {version('torch')}",
        "date": date.today().isoformat(),
    }


def versions(packages: Iterable[str], python: str) -> list[str]:
    """Names and versions of packages in the environment of this interpreter.

    >>> import sys
    >>> versions(["pip"], sys.executable)[0].split()[0]
    'pip'
    """
    script = (
        "import json, sys; from importlib.metadata import version; "
        "print(json.dumps([f'{name} {version(name)}' for name in sys.argv[1:]]))"
    )
    done = subprocess.run(
        [python, "-c", script, *packages], stdout=subprocess.PIPE, encoding="utf-8", check=True
    )
    found: list[str] = json.loads(done.stdout)
    return found


def _processor() -> str:
    details = Path("/proc/cpuinfo")
    if details.exists():
        facts = dict(
            (part.strip() for part in line.split(":", 1))
            for line in details.read_text(encoding="utf-8").split("\n\n")[0].splitlines()
            if ":" in line
        )
        if "model name" in facts:
            generation = f"family {facts.get('cpu family', '?')}, model {facts.get('model', '?')}"
            return f"{facts['model name']} ({generation})"
    return platform.processor()


def peak_megabytes() -> float:
    """Peak resident memory of this process. Not getrusage: that starts at the parent's peak."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("no VmHWM in /proc/self/status")
