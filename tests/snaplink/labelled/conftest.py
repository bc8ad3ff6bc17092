"""Small labelled data in every form."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image


def png(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 10), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def picture() -> Callable[[str], bytes]:
    """The bytes of a picture of one colour."""
    return png


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Class folders: two cats, and one red apple in a folder inside."""
    root = tmp_path / "animals"
    for name in ("cat/a.png", "cat/b.png", "red_apple/more/c.png", ".hidden/d.png"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png("red" if "apple" in name else "grey"))
    (root / "notes.txt").write_text("not a class", encoding="utf-8")
    return root


@pytest.fixture
def shard() -> Callable[[Path, Mapping[str, bytes]], Path]:
    """Writes a tar of members by name."""

    def write(path: Path, members: Mapping[str, bytes]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w") as tar:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        return path

    return write
