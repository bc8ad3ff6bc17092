"""One load in a process of its own: python load_once.py CONTENDER FOLDER HOW"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from contenders import contender, prepare


def peak_megabytes() -> float:
    """Peak resident memory of this process. Not getrusage: that starts at the parent's peak."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("no VmHWM in /proc/self/status")


def main() -> None:
    name, folder, how = sys.argv[1:]
    prepare(name)
    library = contender(name)
    begin = time.perf_counter()
    model = library.load(Path(folder), how)
    seconds = time.perf_counter() - begin
    assert next(model.parameters()).dtype == torch.float32
    print(json.dumps({"seconds": seconds, "peak MB": peak_megabytes()}))


if __name__ == "__main__":
    main()
