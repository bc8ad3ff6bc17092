"""Import time beyond torch's, in a process of its own: python import_once.py CONTENDER"""

from __future__ import annotations

import json
import sys
import time

import torch  # noqa: F401  # its time is not the library's
from contenders import contender, prepare


def main() -> None:
    name = sys.argv[1]
    prepare(name)
    before = len(sys.modules)
    begin = time.perf_counter()
    contender(name)
    seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "modules": len(sys.modules) - before}))


if __name__ == "__main__":
    main()
