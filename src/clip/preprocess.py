"""A PIL picture in, a tensor out: the steps of openai/CLIP and of open_clip's configs, in order.

The steps are ours (transforms.py), equal to torchvision's. Callers who have loaded torchvision get
its own classes, so that their type checks hold; it is never imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Literal

from PIL import Image

from . import transforms
from .transforms import (
    CenterCrop,
    CenterCropOrPad,
    Compose,
    Normalize,
    Resize,
    ResizeKeepRatio,
    Size,
    Step,
    ToTensor,
    pair,
    resampling,
)

__all__ = [
    "BICUBIC",
    "CenterCrop",
    "Compose",
    "Normalize",
    "Resize",
    "ToTensor",
    "compose",
    "openai_steps",
    "to_rgb",
    "transform",
]

BICUBIC = Image.Resampling.BICUBIC
OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)

ResizeMode = Literal["shortest", "longest", "squash"]


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture in RGB, whatever its mode; transparency is dropped, not blended."""
    return image.convert("RGB")


def openai_steps(n_px: int, to_rgb: Step = to_rgb) -> list[Step]:
    """OpenAI's five steps: resize, centre crop, RGB, to tensor, normalise.

    Args:
        n_px: side of the square.
        to_rgb: the third step.

    >>> Compose(openai_steps(224))(Image.new("L", (640, 480))).shape
    torch.Size([3, 224, 224])
    """
    kit = _kit()
    return [
        kit.Resize(n_px, interpolation=BICUBIC),
        kit.CenterCrop(n_px),
        to_rgb,
        kit.ToTensor(),
        kit.Normalize(OPENAI_MEAN, OPENAI_STD),
    ]


def compose(steps: Sequence[Step]) -> Any:
    """`Compose(steps)`; torchvision's own where the caller has loaded torchvision."""
    return _kit().Compose(steps)


def transform(
    image_size: Size,
    *,
    mean: Sequence[float] = OPENAI_MEAN,
    std: Sequence[float] = OPENAI_STD,
    interpolation: Any = BICUBIC,
    resize_mode: ResizeMode = "shortest",
    fill_color: int = 0,
    to_rgb: Step = to_rgb,
) -> Any:
    """The preprocessing of a model that says how it wants its pictures, as open_clip does it.

    Args:
        image_size: side of the square, or (height, width).
        mean, std: of the three channels of a picture with values from 0 to 1.
        interpolation: a PIL constant or its name, for instance "bicubic".
        resize_mode: "shortest" side to the size, then cropped; "longest" side to the size, then
            padded; "squash" both sides, the shape is lost.
        fill_color: of the padding, from 0 to 255.
        to_rgb: the step that makes it RGB.

    Returns:
        A `Compose` (torchvision's where the caller has loaded it) from a PIL picture to a float
        tensor [3, height, width].

    >>> transform(32, resize_mode="squash")(Image.new("P", (640, 480))).shape
    torch.Size([3, 32, 32])
    """
    kit = _kit()
    reshape = _reshaping(kit, pair(image_size), resampling(interpolation), resize_mode, fill_color)
    return kit.Compose([*reshape, to_rgb, kit.ToTensor(), kit.Normalize(mean, std)])


def _reshaping(
    kit: Any, size: tuple[int, int], interpolation: int, mode: ResizeMode, fill_color: int
) -> list[Step]:
    if mode == "squash":
        return [kit.Resize(size, interpolation=interpolation)]
    if mode == "longest":
        whole = ResizeKeepRatio(size, interpolation, inside=True)
        return [whole, CenterCropOrPad(size, fill_color)]
    if mode != "shortest":
        raise ValueError(f"resize_mode is shortest, longest or squash, not {mode!r}")
    if size[0] == size[1]:
        return [kit.Resize(size[0], interpolation=interpolation), kit.CenterCrop(size)]
    return [ResizeKeepRatio(size, interpolation), kit.CenterCrop(size)]


def _kit() -> Any:
    """Where the classes come from: torchvision if it is loaded, and wholly so, else ours."""
    theirs = sys.modules.get("torchvision.transforms")
    names = ("Compose", "Resize", "CenterCrop", "ToTensor", "Normalize")
    whole = all(hasattr(theirs, name) for name in names)
    return theirs if whole else transforms
