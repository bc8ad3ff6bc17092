"""What the default path's checks cost, in a process of its own:

    python checks_once.py snaplink FOLDER

They are timed by leaving off where they end. One picture and one caption have the least work to
hide them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from contenders import ARCHIVE
from inputs import captions, pixels

import clip
from clip import kernels
from clip.model import _ORIGINALS

FORWARDS, CHECKS = 60, 2000


def shortest(run: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return min(times)


def row(
    forward: Callable[[], object],
    blocks: Callable[[], object],
    end: str,
    leave_off: Callable[..., object],
) -> dict[str, float]:
    """Milliseconds of the checks and of a forward, and the share.

    Args:
        forward: encodes.
        blocks: what of it the fast route does, the checks first.
        end: a function of `kernels`: where the checks end.
        leave_off: takes its place.
    """
    assert blocks() is not None, "the fast route was not taken"
    whole = shortest(forward, FORWARDS)
    with patch.object(kernels, end, leave_off):
        assert blocks() is None
        checks = shortest(blocks, CHECKS)
    return {"checks, ms": 1000 * checks, "forward, ms": 1000 * whole, "share": checks / whole}


def measured(model: Any) -> dict[str, dict[str, float]]:
    image, text, stack = pixels(1), captions(1), model.visual.transformer
    rows = torch.zeros(1, *model.visual.positional_embedding.shape)
    causal = kernels._all_causal
    return {
        "one picture": row(
            lambda: model.encode_image(image),
            lambda: kernels.first_places(stack, rows, _ORIGINALS),
            "_unless_refused",
            lambda run: None,
        ),
        "one caption": row(
            lambda: model.encode_text(text),
            lambda: kernels.text_ends(model, text, _ORIGINALS),
            "_all_causal",
            lambda *arguments: not causal(*arguments),
        ),
    }


@torch.no_grad()
def main() -> None:
    model, _ = clip.load(str(Path(sys.argv[2]) / ARCHIVE), device="cpu")
    print(json.dumps(measured(model)))


if __name__ == "__main__":
    main()
