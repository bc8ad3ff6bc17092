"""`torch.hub.load` from a checkout that is not installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

MODELS = (
    *("RN50", "RN101", "RN50x4", "RN50x16", "RN50x64"),
    *("ViT_B_32", "ViT_B_16", "ViT_L_14", "ViT_L_14_336px"),
)

SCRIPT = """
import sys, torch
checkout, root, *models = sys.argv[1:]
print(*torch.hub.load(checkout, "tokenize", source="local")(["a cat"]).shape)
for model in models:
    try:
        torch.hub.load(checkout, model, source="local", device="cpu", download_root=root)
    except RuntimeError as error:
        print(model, type(error).__name__)
"""


def test_tokenize_and_the_nine_models_are_entry_points(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(ROOT), str(tmp_path), *MODELS],
        env={**os.environ, "CLIP_OFFLINE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    expected = ["1 77", *(f"{model} OfflineError" for model in MODELS)]
    assert result.stdout.splitlines() == expected, result.stderr
