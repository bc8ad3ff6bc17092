"""Runs a script in the peers' environment: `python peer.py FOLDER`. See conftest.py.

FOLDER holds script.py and the inputs (arrays.npz, values.json); the outputs replace them.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def define_missing_operators() -> None:
    """Let torchvision be imported where its compiled half was built for another torch.

    Its Python half, all that the oracles use, only asks that two operators exist.
    """
    import torch

    compiled = next(_torchvision_folder().glob("_C*"), None)
    try:
        if compiled is not None:
            torch.ops.load_library(compiled)
    except OSError:
        boxes = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        torch.library.define("torchvision::nms", boxes)
        torch.library.define("torchvision::qnms", boxes)


def _torchvision_folder() -> Path:
    spec = importlib.util.find_spec("torchvision")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def read(folder: Path) -> dict[str, Any]:
    """The arrays and JSON values of a folder, by name."""
    values: dict[str, Any] = json.loads((folder / "values.json").read_text(encoding="utf-8"))
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        return {**values, **arrays}


def write(folder: Path, items: dict[str, Any]) -> None:
    """Keep arrays and tensors in arrays.npz, everything else in values.json."""
    arrays = {name: _array(item) for name, item in items.items() if hasattr(item, "__array__")}
    values = {name: item for name, item in items.items() if name not in arrays}
    np.savez(folder / "arrays.npz", **arrays)
    (folder / "values.json").write_text(json.dumps(values), encoding="utf-8")


def _array(item: Any) -> np.ndarray:
    return np.asarray(item.detach().cpu() if hasattr(item, "detach") else item)


def main() -> None:
    folder = Path(sys.argv[1])
    define_missing_operators()
    outputs: dict[str, Any] = {}
    script = folder / "script.py"
    code = compile(script.read_text(encoding="utf-8"), str(script), "exec")
    exec(code, {"__name__": "__peer__", "inputs": read(folder), "outputs": outputs})
    write(folder, outputs)


if __name__ == "__main__":
    main()
