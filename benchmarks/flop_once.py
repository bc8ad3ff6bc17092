"""Arithmetic of one picture in GFLOP, two for each multiply and add, counted by torch.

python flop_once.py snaplink FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from contenders import ARCHIVE, RESNET_ARCHIVE
from inputs import pixels
from torch.utils.flop_counter import FlopCounterMode

import clip


def main() -> None:
    found = {}
    for archive in (ARCHIVE, RESNET_ARCHIVE):
        model, _ = clip.load(Path(sys.argv[2]) / archive, device="cpu")
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model.encode_image(pixels(1))
        found[archive] = counter.get_total_flops() / 1e9
    print(json.dumps(found))


if __name__ == "__main__":
    main()
