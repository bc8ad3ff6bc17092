"""One load in a process of its own: python load_once.py CONTENDER FOLDER HOW"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from contenders import contender, prepare
from machine import peak_megabytes


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
