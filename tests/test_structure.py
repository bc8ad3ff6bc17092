"""The plan of the house: who may import whom, what an import costs, what the doors show."""

from __future__ import annotations

import ast
import graphlib
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
}


def imported_modules(name: str, statements: list[ast.stmt]) -> Iterator[str]:
    """Our modules that these statements of the module `name` import."""
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    for statement in statements:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names if alias.name in MODULES)
        elif isinstance(statement, ast.ImportFrom):
            parents = package.split(".")[: 1 - statement.level or None] if statement.level else []
            base = ".".join([*parents, *filter(None, [statement.module])])
            for alias in statement.names:
                submodule = f"{base}.{alias.name}"
                yield from {submodule, base} & MODULES.keys() if base in MODULES else ()


def at_import(name: str) -> set[str]:
    """Our modules that `name` needs before it is ready itself."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    parents = {name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)}
    return set(imported_modules(name, tree.body)) - parents - {name}


def anywhere(name: str) -> set[str]:
    """Our modules that any line of `name` imports."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    return set(imported_modules(name, statements))


def test_clip_never_knows_snaplink():
    floor = [name for name in MODULES if name.split(".")[0] == "clip"]
    assert len(floor) > 10
    for name in floor:
        above = {found for found in anywhere(name) if found.split(".")[0] == "snaplink"}
        assert not above, f"{name} imports {above}"


def test_no_module_needs_itself_to_be_imported():
    graph = {name: at_import(name) for name in MODULES}
    assert "clip.errors" in graph["clip.clip"]
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as cycle:
        pytest.fail(f"a circle of imports: {' <- '.join(cycle.args[1])}")


def test_the_plan_names_every_room():
    plan = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    verbs = SOURCE / "snaplink" / "cli"
    rooms = {path.name for path in MODULES.values() if path.parent != verbs}
    missing = {room for room in rooms - {"__init__.py", "__main__.py"} if f"`{room}`" not in plan}
    assert not missing, f"docs/design.md does not say what {missing} is for"


def loaded_by(statement: str, *, after: str = "pass") -> set[str]:
    """Top-level names of the modules that a fresh interpreter loads for a statement."""
    script = (
        f"import sys; {after}; before = set(sys.modules); {statement}; "
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=True
    )
    return set(done.stdout.split()) - sys.stdlib_module_names


def test_import_clip_costs_little_more_than_torch():
    allowed = {"clip", "numpy", "PIL"}
    assert loaded_by("import clip", after="import torch") <= allowed


def test_a_client_needs_no_torch():
    loaded = loaded_by("from snaplink import Client; Client().close()")
    assert "httpx" in loaded
    assert not loaded & {"torch", "fastapi", "uvicorn", "pyarrow", "clip"}


def test_the_command_answers_without_torch():
    loaded = loaded_by("from snaplink.cli import main")
    assert "click" in loaded
    assert not loaded & {"torch", "numpy", "PIL", "httpx", "clip"}


@pytest.mark.parametrize(
    ("package", "names"),
    [
        ("clip", "available_models load optimize tokenize"),
        (
            "snaplink",
            "ArgumentError AsyncClient Client Encoder ForeignClipError PictureError Prediction "
            "Score ServerError SnaplinkError ZeroShotClassifier load_encoder",
        ),
    ],
)
def test_the_public_doors_show_exactly_this(package: str, names: str):
    module = importlib.import_module(package)
    assert sorted(module.__all__) == names.split()
    assert all(hasattr(module, name) for name in names.split())


@pytest.mark.parametrize("module", ["clip", "model", "simple_tokenizer"])
def test_the_originals_modules_are_there_after_a_bare_import(module: str):
    done = subprocess.run([sys.executable, "-c", f"import clip; clip.{module}.__file__"])
    assert done.returncode == 0


def test_the_changelog_opens_with_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] == version("snaplink")
