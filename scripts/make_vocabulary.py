"""Make src/clip/data/bpe_simple_vocab_16e6.txt.gz, and the notice beside it.

The merges are OpenAI's. They are taken from the wheel of clip-anytorch, which carries the
original file of 262,144 merges; CLIP uses the first 48,894, and only those are kept.

    python scripts/make_vocabulary.py
"""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REQUIREMENT = "clip-anytorch==2.6.0"
WHEEL_SHA256 = "ebc0afed243851b9dc7e16ab8afb665237e8a5838986e97cd99f123ae4ce94ce"
MERGES = 48_894
DATA = Path(__file__).resolve().parents[1] / "src" / "clip" / "data"
FILE = "bpe_simple_vocab_16e6.txt.gz"

NOTICE = """\
# The vocabulary

`{file}` holds the header line and the first {merges:,} merges of the file of the same name in
[openai/CLIP](https://github.com/openai/CLIP): all that its tokenizer uses. The text inside is
unchanged; its SHA-256, uncompressed, is

    {sha256}

`scripts/make_vocabulary.py` made it from the wheel of {requirement}. It is OpenAI's work, under
this licence:

{licence}"""


def downloaded_wheel(folder: Path) -> Path:
    """The wheel, its hash checked."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*pip, "--dest", str(folder), REQUIREMENT], check=True)
    (wheel,) = folder.glob("*.whl")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise SystemExit(f"{wheel.name}: SHA-256 is {found}, not {WHEEL_SHA256}; nothing written.")
    return wheel


def read_wheel(wheel: Path) -> tuple[bytes, str]:
    """The header and the merges in use, a line each, and the licence's text."""
    with zipfile.ZipFile(wheel) as archive:
        lines = gzip.decompress(archive.read(f"clip/{FILE}")).split(b"\n")
        (licence,) = (name for name in archive.namelist() if name.endswith(".dist-info/LICENSE"))
        return b"\n".join(lines[: 1 + MERGES]) + b"\n", archive.read(licence).decode("utf-8")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        text, licence = read_wheel(downloaded_wheel(Path(folder)))
    notice = NOTICE.format(
        file=FILE,
        merges=MERGES,
        sha256=hashlib.sha256(text).hexdigest(),
        requirement=REQUIREMENT,
        licence="".join(f"    {line}".rstrip() + "\n" for line in licence.splitlines()),
    )
    DATA.mkdir(exist_ok=True)
    (DATA / FILE).write_bytes(gzip.compress(text, compresslevel=9, mtime=0))
    (DATA / "VOCABULARY.md").write_text(notice, encoding="utf-8")
    print(f"{DATA / FILE}: {MERGES:,} merges")


if __name__ == "__main__":
    main()
