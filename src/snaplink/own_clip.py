"""Whether the package `clip` that Python would import is the one that came with snaplink.

Other distributions (openai/CLIP as `clip`, clip-anytorch, openai-clip) install a folder `clip`,
too, and pip lets the last one overwrite the others without a word. Imports nothing of `clip`.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.util
import json
from importlib import metadata
from pathlib import Path
from typing import Any

from .errors import ForeignClipError

__all__ = ["check"]


def check() -> None:
    """Return when `clip` is our own.

    Raises:
        ForeignClipError: it is not; the message names the distribution that came between and the
            commands that put things right.
    """
    home = Path(__file__).parents[1] / "clip"
    spec = importlib.util.find_spec("clip")
    found = Path(spec.origin) if spec and spec.origin else home / "__init__.py"
    if found != home / "__init__.py":
        raise ForeignClipError(_shadowed(found, home))
    changed = [file for file, intact in _recorded_files(home) if not intact]
    if not changed:
        return
    if owners := _other_owners(found):
        raise ForeignClipError(_overwritten(owners, home))
    if not all(file.exists() for file in changed):
        raise ForeignClipError(_incomplete(home))


def _recorded_files(home: Path) -> list[tuple[Path, bool]]:
    """Files of `clip` by snaplink's installation record, and whether each is as it was installed.

    Empty for a checkout or an editable installation, over which no other package can be written.
    """
    try:
        installed = metadata.distribution("snaplink")
    except metadata.PackageNotFoundError:
        return []
    files = []
    # Not `installed.files`: from Python 3.12 on it leaves out what is missing.
    for name, recorded, _ in csv.reader((installed.read_text("RECORD") or "").splitlines()):
        file = Path(str(installed.locate_file(name)))
        if recorded and file.suffix == ".py" and home in file.parents:
            algorithm, _, digest = recorded.partition("=")
            files.append((file, file.exists() and _digest(file, algorithm) == digest))
    return files


def _digest(file: Path, algorithm: str) -> str:
    """The hash of a file as installation records write it."""
    digest = hashlib.new(algorithm, file.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _other_owners(file: Path) -> list[tuple[str, str]]:
    """Name and version of the other distributions that installed this file."""
    return [
        (distribution.metadata["Name"], distribution.version)
        for distribution in metadata.distributions()
        if distribution.metadata["Name"] != "snaplink"
        and any(
            entry.name == file.name and Path(str(distribution.locate_file(entry))) == file
            for entry in distribution.files or ()
        )
    ]


def _overwritten(owners: list[tuple[str, str]], home: Path) -> str:
    names = ", ".join(f"{name} {version}" for name, version in owners)
    return (
        f"{names} was installed over snaplink's package `clip` in {home}. Repair it with\n"
        f"    pip uninstall -y {' '.join(name for name, _ in owners)}\n"
        f"    {_reinstall()}"
    )


def _incomplete(home: Path) -> str:
    return (
        f"files of snaplink's package `clip` are missing in {home}, as they are after another "
        f"package that also installs `clip` was uninstalled. Repair it with\n    {_reinstall()}"
    )


def _reinstall() -> str:
    """pip's command for the same snaplink again, from where it came (as PEP 610 records it)."""
    record = metadata.distribution("snaplink").read_text("direct_url.json")
    origin: dict[str, Any] = json.loads(record) if record else {"url": "snaplink"}
    repository = f"{origin['vcs_info']['vcs']}+" if "vcs_info" in origin else ""
    return f"pip install --force-reinstall --no-deps {repository}{origin['url']}"


def _shadowed(found: Path, home: Path) -> str:
    before = f"Python finds `clip` in {found}, before snaplink's own in {home}. "
    if owners := _other_owners(found):
        names = " ".join(name for name, _ in owners)
        return f"{before}Remove it with\n    pip uninstall -y {names}"
    return f"{before}Rename it, or start Python in another folder"
