"""Run the cases under whatever `clip` this interpreter imports, and write down what they return.

    python runner.py [--also FOLDER] [--no-grad] FILES OUT [CASE ...]

FILES is a folder that `materials` has filled. OUT becomes one npz file: an array for each value
of each case, text as JSON, and under "<case>/raised" the traceback of a case that failed. The same
command runs in both environments; only what `import clip` finds differs. FOLDER is searched for
packages after all others: it lends torchvision to an environment without it. With --no-grad the
cases run as inference does.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).parent
MOST_VALUES = 1500
Case = Callable[[ModuleType, Any], dict[str, Any]]


def _module(path: Path) -> ModuleType:
    name = f"compat_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def cases() -> dict[str, Case]:
    """Every public function of `cases/*.py`, under "file.function"."""
    found: dict[str, Case] = {}
    for path in sorted((HERE / "cases").glob("*.py")):
        module = _module(path)
        for name, member in vars(module).items():
            own = inspect.isfunction(member) and member.__module__ == module.__name__
            if own and not name.startswith("_"):
                found[f"{path.stem}.{name}"] = member
    return found


def needs_torchvision(case: Case) -> bool:
    """Whether the case's own code imports torchvision."""
    return "from torchvision import" in inspect.getsource(case)


def differentiates(case: Case) -> bool:
    """Whether the case needs gradients: it cannot run under `torch.no_grad()`."""
    source = inspect.getsource(case)
    return any(part in source for part in ("backward(", "autograd", "torch.func.", "train()"))


def _array(value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        return value.detach().float().numpy() if value.dtype is torch.bfloat16 else _numpy(value)
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value
    return np.array(json.dumps(value, ensure_ascii=False, default=str))


def _sampled(name: str, array: np.ndarray) -> dict[str, np.ndarray]:
    """A large array by its shape and some thousand of its values, so that files stay small."""
    if array.size <= MOST_VALUES:
        return {name: array}
    step = array.size // MOST_VALUES + 1
    return {f"{name}, shape": np.array(array.shape), name: array.ravel()[::step]}


def _numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def run(clip: ModuleType, kit: Any, names: list[str]) -> dict[str, np.ndarray]:
    """The values of each case, by "case/value". The cases leave `clip` as they found it."""
    every = cases()
    arrays: dict[str, np.ndarray] = {}
    for name in names or list(every):
        torch.manual_seed(0)
        np.random.seed(0)
        before = Path.cwd()
        try:
            for key, value in every[name](clip, kit).items():
                arrays |= _sampled(f"{name}/{key}", _array(value))
        except Exception:
            arrays[f"{name}/raised"] = np.array(traceback.format_exc())
        os.chdir(before)
    return arrays


def prepare_torchvision() -> None:
    """Let torchvision, where it is installed, be imported beside a torch of another build."""
    if importlib.util.find_spec("torchvision") is not None:
        _module(HERE.parent / "oracles" / "peer.py").define_missing_operators()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--also")
    parser.add_argument("--no-grad", action="store_true")
    parser.add_argument("cases", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", FutureWarning)
    if arguments.also:
        sys.path.append(arguments.also)
    prepare_torchvision()
    from materials import Kit

    import clip

    torch.set_grad_enabled(not arguments.no_grad)
    kit = Kit(arguments.files.resolve())
    np.savez(arguments.out, **run(clip, kit, arguments.cases))


if __name__ == "__main__":
    main()
