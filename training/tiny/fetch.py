"""Fetch the pinned npm packages of `packages.json` and verify each against its integrity hash."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CACHE = HERE / "cache"
PACKAGES: dict[str, dict[str, str]] = json.loads((HERE / "packages.json").read_text("utf-8"))


def archive(name: str) -> Path:
    """The verified tarball of one pinned package, fetched with `npm pack` when it is not cached."""
    pin = PACKAGES[name]
    path = CACHE / "npm" / f"{name.removeprefix('@').replace('/', '-')}-{pin['version']}.tgz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        npm = "npm.cmd" if sys.platform == "win32" else "npm"
        command = [npm, "pack", "--silent", f"{name}@{pin['version']}"]
        subprocess.run(command, cwd=path.parent, check=True)
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != pin["integrity"]:
        raise SystemExit(f"{path} does not have the pinned hash; delete it and run this again")
    return path


@cache
def member(name: str, path: str) -> Any:
    """One JSON file of a pinned package."""
    with tarfile.open(archive(name)) as tar:
        file = tar.extractfile(f"package/{path}")
        assert file is not None
        return json.load(file)


if __name__ == "__main__":
    for package in PACKAGES:
        print(archive(package))
