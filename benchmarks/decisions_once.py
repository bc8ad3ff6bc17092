"""Decisions about the built-in model's held-out pictures: python decisions_once.py snaplink PATH

PATH is "default" for `clip.load`'s model as it is, else a precision of `clip.optimize`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
from encode_once import least_cosine
from harness import ROOT
from PIL import Image

import clip

HELD_OUT = ROOT / "src" / "snaplink" / "data" / "drawings"


def pictures_and_names() -> tuple[list[Image.Image], list[str]]:
    """The tiles of the sheet, and what each shows."""
    manifest = json.loads((HELD_OUT / "manifest.json").read_text(encoding="utf-8"))
    sheet, side, across = Image.open(HELD_OUT / "sheet.png"), manifest["tile"], manifest["across"]
    places = [divmod(number, across) for number in range(len(manifest["tiles"]))]
    tiles = [(column * side, row * side) for row, column in places]
    return (
        [sheet.crop((x, y, x + side, y + side)) for x, y in tiles],
        [tile["name"] for tile in manifest["tiles"]],
    )


def features(model: Any, inputs: tuple[torch.Tensor, torch.Tensor]) -> list[torch.Tensor]:
    with torch.no_grad():
        return [model.encode_image(inputs[0]).float(), model.encode_text(inputs[1]).float()]


def chosen(image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    unit = torch.nn.functional.normalize
    return (unit(image, dim=-1) @ unit(text, dim=-1).T).argmax(dim=-1)


def main() -> None:
    path = sys.argv[2]
    model, preprocess = clip.load("tiny", device="cpu")
    pictures, names = pictures_and_names()
    labels = sorted(set(names))
    tokens = clip.tokenize([f"a photo of a {label}" for label in labels])
    inputs = torch.stack([preprocess(picture) for picture in pictures]), tokens
    with torch.backends.mkldnn.flags(enabled=False):  # the plain modules, with MKL's products
        plain = features(model, inputs)
    result = dict.fromkeys(["agreement", "right", "min cosine"]) | {"pictures": len(pictures)}
    if path == "default" or hasattr(clip, "optimize"):
        found = features(
            model if path == "default" else clip.optimize(model, precision=path), inputs
        )
        answers = torch.tensor([labels.index(name) for name in names])
        cosines = [least_cosine(a.numpy(), b.numpy()) for a, b in zip(found, plain, strict=True)]
        result |= {
            "agreement": (chosen(*found) == chosen(*plain)).double().mean().item(),
            "right": (chosen(*found) == answers).double().mean().item(),
            "min cosine": min(cosines),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
