"""The benchmarks can be asked for, and show what they kept. Their figures are `make bench`'s."""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A function that imports a module of the folder, which is forgotten afterwards."""
    names = {path.stem for path in FOLDER.glob("*.py")}
    before = {name: sys.modules.pop(name) for name in names & sys.modules.keys()}
    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(before)


@pytest.mark.parametrize("name", ["tables", "machine"])
def test_examples_in_docstrings(bench: object, name: str) -> None:
    found = doctest.testmod(bench(name))
    assert found.attempted
    assert not found.failed


def functions(name: str) -> dict[str, list[str]]:
    """Functions of a module and the names of their parameters, read without importing it."""
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    return {
        node.name: [argument.arg for argument in node.args.args]
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }


def test_every_benchmark_that_can_be_asked_for_is_there(bench: object) -> None:
    benches = bench("run").BENCHES
    assert "encode" in benches
    for module, function, rounds in benches.values():
        assert functions(module)[function] == ["rounds", "quick"], module
        assert rounds > 0


def test_a_name_that_is_not_there_is_wrong_usage(
    bench: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "juggling"])
    with pytest.raises(SystemExit, match="2"):
        bench("run").main()
    assert "there is no juggling; there are load" in capsys.readouterr().err


@pytest.fixture
def kept(bench: object) -> dict[str, dict[str, object]]:
    """What an encode run of two engines keeps, one of which could not measure everything."""
    machine: ModuleType = bench("machine")
    row = {"precision": "bf16", "images/s, 16": 90.0, "captions/s, 64": None}
    ours = {"precision": "fp32", "images/s, 16": 42.0, "captions/s, 64": 500.0}
    results = {"OpenVINO, bf16": row, "snaplink": ours}
    about = {"machine": machine.machine(), "results": results}
    return {"encode-pictures": about, "encode-captions": about}


def test_the_plot_shows_what_was_measured(
    bench: object, kept: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    plot = bench("plot")
    assert plot.bars(kept["encode-captions"], "captions/s, 64") == [("snaplink (fp32)", 500.0)]
    assert plot.bars(kept["encode-pictures"], "images/s, 16")[-1] == ("OpenVINO, bf16", 90.0)
    plot.draw(kept, tmp_path)
    assert (tmp_path / "performance.svg").stat().st_size > 5000
    assert (tmp_path / "performance.png").read_bytes().startswith(b"\x89PNG")


def test_a_quick_run_leaves_results_and_pages_alone(
    bench: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    harness = bench("harness")
    monkeypatch.setenv(harness.QUICK, "1")
    monkeypatch.setattr(harness, "WORKSHOP", tmp_path)
    before = {path: path.read_bytes() for path in [harness.PAGE, *harness.RESULTS.iterdir()]}
    harness.publish("load", "Quickly", {"snaplink": {"seconds": 1.0}})
    assert json.loads((tmp_path / "quick" / "load.json").read_text())["title"] == "Quickly"
    assert {path: path.read_bytes() for path in before} == before


def test_medians_are_of_what_was_measured(bench: object) -> None:
    seen = iter([{"s": 3.0, "t": None}, {"s": 1.0, "t": 5.0}, {"s": 2.0, "t": None}])
    found = bench("harness").in_turn({"one": lambda: next(seen)}, 3)
    assert found == {"one": {"s": 2.0, "t": 5.0}}
