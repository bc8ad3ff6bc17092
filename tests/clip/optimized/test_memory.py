"""`precision="auto"` measures once, and believes no file that it cannot have written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import clip
from clip.model import CLIP
from clip.optimized import choice, linears, memory


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The precisions that were timed, in their order; each takes half as long as the last."""
    seen: list[str] = []

    def seconds(run) -> float:
        seen.append(run.args[0].precision)
        return 0.5 ** len(seen)

    monkeypatch.setattr(choice, "_seconds", seconds)
    return seen


@pytest.fixture
def possible() -> list[str]:
    return [name for name in ("fp32", "bf16", "int8") if linears.kit_of(name)]


def test_the_fastest_is_taken_and_remembered(
    model: CLIP, measured: list[str], possible: list[str], cache: Path
) -> None:
    assert clip.optimize(model).precision == possible[-1]
    assert measured == possible
    assert clip.optimize(model, "auto").precision == possible[-1]
    assert measured == possible
    (finding,) = json.loads((cache / "optimize.json").read_text(encoding="utf-8")).values()
    assert finding["precision"] == possible[-1]
    assert set(finding["measured"]) == set(possible)
    assert finding["measured"]["fp32"]["cosine"] > 0.99999
    assert list(cache.iterdir()) == [cache / "optimize.json"]


def test_what_is_remembered_is_obeyed(model: CLIP, measured: list[str]) -> None:
    memory.remember(memory.key(model), "fp32", {})
    assert clip.optimize(model).precision == "fp32"
    assert not measured


def test_other_weights_threads_or_processors_are_measured_anew(
    model: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {memory.key(model)}
    assert keys == {memory.key(model)}
    model.visual.proj.data.mul_(2)
    keys.add(memory.key(model))
    monkeypatch.setattr(memory, "_processor", lambda: ["another"])
    keys.add(memory.key(model))
    torch.set_num_threads(2)
    keys.add(memory.key(model))
    assert len(keys) == 4


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "null", "\N{SNOWMAN}", "[" * 100_000),
        *('{"KEY": "fp32"}', '{"KEY": {"precision": "fp64"}}', '{"KEY": {"precision": ["fp32"]}}'),
    ],
    ids=lambda content: content[:30] or "empty",
)
def test_a_broken_file_is_ignored_and_replaced(
    model: CLIP, measured: list[str], possible: list[str], content: str, cache: Path
) -> None:
    cache.mkdir()
    file = cache / "optimize.json"
    file.write_text(content.replace("KEY", memory.key(model)), encoding="utf-8")
    assert clip.optimize(model).precision == possible[-1]
    assert measured == possible
    assert memory.recall(memory.key(model)) == possible[-1]


def test_bytes_that_are_no_text_are_ignored(model: CLIP, cache: Path) -> None:
    cache.mkdir()
    (cache / "optimize.json").write_bytes(b"\xff\xfe\x00")
    assert memory.recall("anything") is None


def test_a_cache_that_cannot_be_written_costs_only_the_memory(
    model: CLIP, measured: list[str], possible: list[str], cache: Path
) -> None:
    cache.write_text("a file where the folder should be", encoding="utf-8")
    assert clip.optimize(model).precision == possible[-1]
    assert clip.optimize(model).precision == possible[-1]
    assert measured == possible * 2


def test_only_so_many_are_kept_the_latest(cache: Path) -> None:
    for number in range(memory._KEPT + 3):
        memory.remember(str(number), "bf16", {})
    assert memory.recall("2") is None
    assert memory.recall("3") == memory.recall(str(memory._KEPT + 2)) == "bf16"


def test_a_faster_precision_that_changes_the_features_is_passed_over(
    model: CLIP, measured: list[str], possible: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "_NEARLY", 0.9999999)
    assert clip.optimize(model).precision == "fp32"
    assert measured == possible


def test_a_tie_goes_to_the_more_exact(model: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_seconds", lambda run: 1.0)
    assert clip.optimize(model).precision == "fp32"


def test_it_measures_in_earnest(model: CLIP, possible: list[str]) -> None:
    assert clip.optimize(model).precision in possible
