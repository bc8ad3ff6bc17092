"""One download from a local server: python download_once.py CONTENDER PORT FOLDER"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from contenders import ARCHIVE


def fetch_with_snaplink(server: str, folder: Path) -> Callable[[], Path]:
    from clip.download import fetch

    sha256 = (folder / "sha256").read_text(encoding="utf-8")
    target = folder / "downloaded" / ARCHIVE
    return lambda: fetch(f"{server}/{sha256}/{ARCHIVE}", sha256=sha256, target=target)


def fetch_with_hub(server: str, folder: Path) -> Callable[[], Path]:
    from huggingface_hub import hf_hub_download

    cache = folder / "downloaded"
    return lambda: Path(hf_hub_download("bench/clip", ARCHIVE, endpoint=server, cache_dir=cache))


def main() -> None:
    name, port, where = sys.argv[1:]
    folder = Path(where)
    shutil.rmtree(folder / "downloaded", ignore_errors=True)
    prepare = fetch_with_snaplink if name == "snaplink" else fetch_with_hub
    download = prepare(f"http://127.0.0.1:{port}", folder)
    begin = time.perf_counter()
    file = download()
    seconds = time.perf_counter() - begin
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    assert found == (folder / "sha256").read_text(encoding="utf-8"), (
        "not the bytes that were served"
    )
    shutil.rmtree(folder / "downloaded")
    nbytes = (folder / ARCHIVE).stat().st_size
    print(json.dumps({"seconds": seconds, "MB/s": nbytes / 1e6 / seconds}))


if __name__ == "__main__":
    main()
