"""Features of fixed inputs, to compare: python features_once.py CONTENDER FOLDER HOW OUTPUT"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from contenders import contender, prepare
from inputs import captions, pixels


def main() -> None:
    name, folder, how, output = sys.argv[1:]
    prepare(name)
    library = contender(name)
    model = library.load(Path(folder), how)
    with torch.no_grad():
        image = library.encode_image(model, pixels(4))
        text = library.encode_text(model, captions(8))
    np.savez(output, image=image.numpy(), text=text.numpy())
    print(json.dumps({}))


if __name__ == "__main__":
    main()
