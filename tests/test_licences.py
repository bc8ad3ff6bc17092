"""Every file that is not our own text has its licence named where it lies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LICENCES = r"\b(MIT|Apache-2\.0|CC-BY-4\.0|CC0-1\.0)\b"
FOLDERS = ["src/clip/data", "src/snaplink/data", "examples"]


def files() -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    return [path for path in found if path.is_file() and path.suffix not in {".md", ".pyc"}]


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_its_folder_names_the_licence_of(path: Path):
    pages = [page.read_text(encoding="utf-8") for page in sorted(path.parent.glob("*.md"))]
    places = [place for page in pages for place in places_in(page) if path.name in place]
    assert any(re.search(LICENCES, place) for place in places), (
        f"name {path.name} and its licence in one section of a .md file beside it, "
        "or in one row of a table"
    )


def places_in(page: str) -> list[str]:
    """Sections without their tables, and the rows of the tables."""
    rows = [line for line in page.splitlines() if line.startswith("|")]
    prose = "\n".join(line for line in page.splitlines() if not line.startswith("|"))
    return rows + re.split(r"^#", prose, flags=re.MULTILINE)


def test_there_is_something_to_name():
    names = {path.name for path in files()}
    assert {"bpe_simple_vocab_16e6.txt.gz", "tiny.safetensors", "prompt_sets.json"} <= names
