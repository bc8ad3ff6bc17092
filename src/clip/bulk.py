"""The model's view of many pictures, fast, and hardly ever more than 1/255 from `preprocess`.

    bulk = BulkPreprocess.of(preprocess)
    pixels = bulk.normalize(torch.stack([bulk(picture) for picture in pictures]))

Where a picture shrinks, torch's resize of bytes takes Pillow's place. Its weights have 16 bits, so
that some 1 % of the values come out 1/255 away, and among millions of them a single one may be
2/255 away. All other pictures pass through Pillow and come out exactly. JPEG files are always
read at their full size: at half of it even pictures of 12 megapixels came out up to 5/255 away.

Nothing is shared between calls, so threads and processes may use one and the same. How many cores
a single call uses is torch's matter: workers of a pool call `torch.set_num_threads(1)` first.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from . import lent_pixels
from .transforms import CenterCrop, CenterCropOrPad, Normalize, Resize, ResizeKeepRatio, ToTensor

__all__ = ["BulkPreprocess"]

_TO_RGB = {
    ("clip.preprocess", "to_rgb"),
    ("clip.clip", "_convert_image_to_rgb"),
    ("open_clip.transform", "_convert_to_rgb"),
    ("open_clip.transform", "MaybeConvertMode"),
}
_TO_TENSOR = ("open_clip.transform", "MaybeToTensor")  # beside torchvision's and ours
_COLOURS = ("RGB", "RGBA")
# What F.interpolate calls for them; but it cannot leave out a part of the result.
_OPERATORS = {
    Image.Resampling.BICUBIC: torch.ops.aten._upsample_bicubic2d_aa,
    Image.Resampling.BILINEAR: torch.ops.aten._upsample_bilinear2d_aa,
}


@dataclass(frozen=True)
class BulkPreprocess:
    """What a `preprocess` does, in two halves: picture to bytes, bytes to the model's floats.

    Attributes:
        resize: the step that makes pictures small.
        crop: the step that cuts or pads them to the model's size; None if all have it by then.
        mean, std: of the three channels of a picture with values from 0 to 1.

    >>> from clip.preprocess import transform
    >>> bulk = BulkPreprocess.of(transform(224))
    >>> pixels = bulk(Image.new("RGB", (640, 480), "white"))
    >>> pixels.shape, pixels.dtype
    (torch.Size([3, 224, 224]), torch.uint8)
    >>> bulk.normalize(pixels[None]).dtype
    torch.float32
    """

    resize: Resize
    crop: CenterCrop | None
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, preprocess: Any) -> BulkPreprocess | None:
        """The fast twin of a `Compose`, ours or torchvision's, as it is now.

        Returns:
            None if any step is not one of those that CLIP's and open_clip's models use.
        """
        steps = list(getattr(preprocess, "transforms", ()))
        if len(steps) not in (4, 5):
            return None
        *reshaping, to_rgb, to_tensor, normalize = steps
        resize = _resize(reshaping[0])
        crop = _crop(reshaping[1]) if len(reshaping) == 2 else None
        statistics = _statistics(normalize)
        in_rgb = _name(to_rgb) in _TO_RGB and getattr(to_rgb, "mode", "RGB") == "RGB"
        whole = crop is not None or (resize is not None and _is_pair(resize.size))
        if resize is None or not whole or statistics is None or not in_rgb:
            return None
        if not _is(to_tensor, ToTensor) and _name(to_tensor) != _TO_TENSOR:
            return None
        return cls(resize, crop, *statistics)

    def __call__(self, picture: Image.Image | bytes) -> Tensor:
        """The pixels that the model sees of a picture: uint8 ``[3, height, width]``.

        Args:
            picture: of any mode and size; or the bytes of a picture file, which are read as
                Pillow reads them.

        Raises:
            OSError: the bytes are no whole picture.
        """
        if isinstance(picture, bytes):
            picture = Image.open(io.BytesIO(picture))
        pixels = self._shrunk(picture)
        return self._exactly(picture) if pixels is None else pixels

    def _shrunk(self, picture: Image.Image) -> Tensor | None:
        """By torch, several times faster than Pillow; None for what is better left to Pillow."""
        operator = _OPERATORS.get(self.resize.interpolation)
        height, width = picture.height, picture.width
        target = tall, wide = self.resize.target(height, width)
        shrinks = 0 < tall <= height and 0 < wide <= width
        # Pillow 13 resizes columns before rows in about this case, torch never does; and what
        # overshoots is cut off in between.
        columns_first = height - tall >= 2 * (width - wide)
        if operator is None or picture.mode not in _COLOURS or not shrinks or columns_first:
            return None
        top, left = self.crop.corner(*target) if self.crop else (0, 0)
        if self.crop:  # there is no use for what lies right of it and below it
            tall, wide = (
                min(length, first + size)
                for length, first, size in zip(target, (top, left), self.crop.size, strict=True)
            )
        rows = min(height, math.ceil((tall + 2) * height / target[0]) + 1)
        down, across = target[0] / height, target[1] / width
        parts: list[Tensor] = []
        for strip in lent_pixels.strips(picture, rows):
            if picture.mode == "RGBA" and strip[..., 3].min() < 255:
                return None  # colours weigh as much as they are opaque
            part = torch.from_numpy(strip).permute(2, 0, 1)[None]
            size, scale = ([tall, wide], down) if len(strip) == rows else ([len(strip), wide], 1.0)
            parts.append(operator(part, size, False, scale, across))
        small = parts[0]
        if len(parts) > 1:
            small = operator(torch.cat(parts, dim=2), [tall, wide], False, down, 1.0)
        small = small[0, :3, top:, left:]
        return (self.crop(small) if self.crop else small).contiguous()

    def _exactly(self, picture: Image.Image) -> Tensor:
        small = self.resize(picture)
        small = self.crop(small) if self.crop else small
        return torch.from_numpy(np.array(small.convert("RGB"))).permute(2, 0, 1).contiguous()

    def normalize(self, pixels: Tensor) -> Tensor:
        """What the model computes with: float32 of the shape of `pixels`, on its device.

        Args:
            pixels: uint8 ``[..., 3, height, width]`` from calls of this object.
        """
        # Filled where they are used: to copy them to a GPU would make the host wait for it.
        mean, std = (
            torch.stack([pixels.new_full((1, 1), each, dtype=torch.float32) for each in values])
            for values in (self.mean, self.std)
        )
        return pixels.to(torch.float32).div_(255).sub_(mean).div_(std)


def _name(step: Any) -> tuple[str, str]:
    """Module and name of a function, or of an object's class."""
    name = getattr(step, "__qualname__", type(step).__qualname__)
    return getattr(step, "__module__", ""), name


def _is(step: Any, ours: type) -> bool:
    """Is a step of this class of ours, or of torchvision's class of that name?"""
    theirs = ("torchvision.transforms.transforms", ours.__name__)
    return type(step) is ours or (type(step).__module__, type(step).__name__) == theirs


def _is_pair(size: Any) -> bool:
    return isinstance(size, Sequence) and len(size) == 2


def _resize(step: Any) -> Resize | None:
    if type(step) is ResizeKeepRatio:
        return ResizeKeepRatio(step.size, step.interpolation, step.inside)
    if not _is(step, Resize):
        return None
    return Resize(step.size, step.interpolation, step.max_size)


def _crop(step: Any) -> CenterCrop | None:
    if type(step) is CenterCropOrPad:
        return CenterCropOrPad(step.size, step.fill)
    return CenterCrop(step.size) if _is(step, CenterCrop) else None


def _statistics(step: Any) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    if not _is(step, Normalize):
        return None
    mean, std = (tuple(float(value) for value in values) for values in (step.mean, step.std))
    return (mean, std) if len(mean) == len(std) == 3 else None
