"""The example of openai/CLIP's README as a script of its own:

python openai_classify.py CHECKPOINT PICTURE A,B,…
"""

from __future__ import annotations

import json
import sys

from contenders import prepare

prepare("openai/CLIP")

import torch  # noqa: E402
from PIL import Image  # noqa: E402

import clip  # noqa: E402


def main() -> None:
    checkpoint, picture, labels = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
    model, preprocess = clip.load(checkpoint, device="cpu")
    pixels = preprocess(Image.open(picture)).unsqueeze(0)
    tokens = clip.tokenize([f"a photo of a {label}." for label in labels])
    with torch.no_grad():
        logits, _ = model(pixels, tokens)
    print(json.dumps(dict(zip(labels, logits.softmax(dim=-1)[0].tolist(), strict=True))))


if __name__ == "__main__":
    main()
