"""The few figures of all benchmarks that the README shows, from the kept results."""

from __future__ import annotations

import json
from typing import Any

from harness import ROOT, results_folder
from tables import between_marks, figure, table

README = ROOT / "README.md"
LIBRARIES = ["openai/CLIP", "transformers", "snaplink"]
LOADS = ["openai/CLIP, by name", "transformers, fp16 safetensors", "snaplink, by name, hashed"]
LATER = "snaplink, by name, with receipt"


def results(name: str) -> dict[str, dict[str, Any]]:
    kept = json.loads((results_folder() / f"{name}.json").read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = kept["results"]
    return found


def rows() -> list[list[str]]:
    imports, loads = results("import"), results("load")
    pictures, captions = results("encode-pictures"), results("encode-captions")

    def row(title: str, unit: str, found: list[float]) -> list[str]:
        return [title, *(f"{figure(value)}{unit}" for value in found)]

    loaded = [loads[name] for name in LOADS]
    later = [*loaded[:2], loads[LATER]]
    return [
        row("`import`, beyond torch", " s", [imports[name]["seconds"] for name in LIBRARIES]),
        row("first load by name", " s", [each["seconds"] for each in loaded]),
        row("later loads by name", " s", [each["seconds"] for each in later]),
        row("most memory of the process", " MB", [each["peak MB"] for each in loaded]),
        row("pictures a second", "", [pictures[name]["images/s, 16"] for name in LIBRARIES]),
        row("captions a second", "", [captions[name]["captions/s, 64"] for name in LIBRARIES]),
    ]


def with_figures(readme: str) -> str:
    """The README with the figures of the last `make bench`."""
    return between_marks(readme, "measured", table(["", *LIBRARIES], rows()))


def write() -> None:
    README.write_text(with_figures(README.read_text(encoding="utf-8")), encoding="utf-8")
