"""The transforms of torchvision that CLIP uses, without torchvision.

Values, attributes and printed forms are torchvision's (0.28), bit for bit, on PIL pictures and on
tensors.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from PIL import Image, ImageOps
from torch import Tensor, nn

__all__ = [
    "CenterCrop",
    "CenterCropOrPad",
    "Compose",
    "Normalize",
    "Resize",
    "ResizeKeepRatio",
    "Size",
    "Step",
    "ToTensor",
    "pair",
    "resampling",
]

Size = int | Sequence[int]
Step = Callable[[Any], Any]


class Compose:
    """One step after the other.

    Args:
        transforms: the steps, each a callable; may be read and changed later.

    >>> Compose([abs, str])(-2)
    '2'
    """

    def __init__(self, transforms: Sequence[Step]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for step in self.transforms:
            img = step(img)
        return img

    def __repr__(self) -> str:
        return "\n".join(["Compose(", *(f"    {step}" for step in self.transforms), ")"])


class Resize(nn.Module):
    """Resize a PIL picture or a tensor ``[..., channels, height, width]``.

    A tensor of another dtype than float32 or float64 is computed in float32 and rounded back.

    Args:
        size: of the shorter side, the shape is kept; or (height, width).
        interpolation: a PIL constant, its name, or torchvision's enumeration.
        max_size: the most that the longer side may have; the shorter then gets less than `size`.
        antialias: for tensors; PIL always does.

    >>> Resize(224)(Image.new("RGB", (640, 480))).size
    (298, 224)
    """

    def __init__(
        self,
        size: Size,
        interpolation: Any = Image.Resampling.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        if not isinstance(size, int) and len(size) not in (1, 2):
            raise ValueError(f"size is a number or (height, width), not {size!r}")
        self.size = size
        self.interpolation = resampling(interpolation)
        self.max_size = max_size
        self.antialias = antialias

    def forward(self, img: Any) -> Any:
        height, width = _height_and_width(img)
        target = self.target(height, width)
        if target == (height, width):
            return img
        if isinstance(img, Tensor):
            return _resize_tensor(img, target, self.interpolation.name.lower(), self.antialias)
        return img.resize(target[::-1], self.interpolation)

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after the resize of a picture of this height and width."""
        if not isinstance(self.size, int) and len(self.size) == 2:
            return self.size[0], self.size[1]
        short = self.size if isinstance(self.size, int) else self.size[0]
        long = int(short * max(height, width) / min(height, width))
        if self.max_size is not None and self.max_size <= short:
            raise ValueError(f"max_size = {self.max_size} must be greater than size = {short}")
        if self.max_size is not None and long > self.max_size:
            short, long = int(self.max_size * short / long), self.max_size
        return (long, short) if width <= height else (short, long)

    def extra_repr(self) -> str:
        name = self.interpolation.name.lower()
        return (
            f"size={self.size}, interpolation={name}, "
            f"max_size={self.max_size}, antialias={self.antialias}"
        )


class ResizeKeepRatio(Resize):
    """Resize a picture of any shape to (height, width) as well as its own shape allows.

    Args:
        size: height and width.
        interpolation: as for `Resize`.
        inside: the whole picture fits inside the size; else it covers the size.

    >>> wide = Image.new("RGB", (400, 100))
    >>> ResizeKeepRatio((64, 64), inside=True)(wide).size, ResizeKeepRatio((64, 64))(wide).size
    ((64, 16), (256, 64))
    """

    def __init__(
        self, size: Size, interpolation: Any = Image.Resampling.BICUBIC, inside: bool = False
    ) -> None:
        super().__init__(pair(size), interpolation)
        self.inside = inside

    def target(self, height: int, width: int) -> tuple[int, int]:
        tall, wide = pair(self.size)
        ratios = height / tall, width / wide
        ratio = max(ratios) if self.inside else min(ratios)
        return round(height / ratio), round(width / ratio)

    def extra_repr(self) -> str:
        name = self.interpolation.name.lower()
        return f"size={self.size}, interpolation={name}, inside={self.inside}"


class CenterCrop(nn.Module):
    """Cut the middle out of a PIL picture or a tensor ``[..., height, width]``.

    What is too small is padded with zeros first.

    Args:
        size: of the square, or (height, width).

    >>> CenterCrop(2)(torch.arange(16).reshape(1, 4, 4))
    tensor([[[ 5,  6],
             [ 9, 10]]])
    """

    fill = 0

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = pair(size)

    def forward(self, img: Any) -> Any:
        height, width = _height_and_width(img)
        tall, wide = self.size
        left, right = _margins(wide - width)
        top, bottom = _margins(tall - height)
        if left or right or top or bottom:
            img = _pad(img, (left, top, right, bottom), self.fill)
        top, left = self.corner(height, width)
        if isinstance(img, Tensor):
            return img[..., top : top + tall, left : left + wide]
        return img.crop((left, top, left + wide, top + tall))

    def corner(self, height: int, width: int) -> tuple[int, int]:
        """First row and column of what is cut out of a picture of this height and width."""
        return _offset(height, self.size[0]), _offset(width, self.size[1])

    def extra_repr(self) -> str:
        return f"size={self.size}"


class CenterCropOrPad(CenterCrop):
    """`CenterCrop` with a colour for the padding.

    Args:
        size: of the square, or (height, width).
        fill: value of every channel, from 0 to 255.
    """

    def __init__(self, size: Size, fill: int = 0) -> None:
        super().__init__(size)
        self.fill = fill


class ToTensor:
    """A PIL picture or a numpy array [height, width(, channels)] to [channels, height, width].

    Bytes become floats (torch's default dtype) from 0 to 1; other types keep type and values.

    Raises:
        TypeError: neither of the two was given.
        ValueError: an array that has not 2 or 3 dimensions.

    >>> ToTensor()(Image.new("L", (2, 1), 255))
    tensor([[[1., 1.]]])
    """

    def __call__(self, pic: Any) -> Tensor:
        if isinstance(pic, Image.Image):
            array = np.array(pic, _ARRAY_TYPES.get(pic.mode, np.uint8), copy=True)
            if pic.mode == "1":
                array *= 255
            array = array.reshape(pic.height, pic.width, len(pic.getbands()))
        elif isinstance(pic, np.ndarray):
            if pic.ndim not in (2, 3):
                raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
            array = pic[:, :, None] if pic.ndim == 2 else pic
        else:
            raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
        tensor = torch.from_numpy(array.transpose(2, 0, 1)).contiguous()
        if tensor.dtype == torch.uint8:
            return tensor.to(torch.get_default_dtype()).div(255)
        return tensor

    def __repr__(self) -> str:
        return "ToTensor()"


class Normalize(nn.Module):
    """(tensor - mean) / std for every channel of a float tensor [..., channels, height, width].

    Args:
        mean, std: one number a channel.
        inplace: change the tensor itself.

    >>> Normalize([0.5], [0.25])(torch.ones(1, 1, 1))
    tensor([[[2.]]])
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def forward(self, tensor: Tensor) -> Tensor:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
        if not tensor.is_floating_point():
            raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
        if tensor.ndim < 3:
            raise ValueError(f"Expected [..., channels, height, width]. Got {list(tensor.shape)}.")
        mean, std = (
            torch.as_tensor(values, dtype=tensor.dtype, device=tensor.device)
            for values in (self.mean, self.std)
        )
        if (std == 0).any():
            raise ValueError(f"std {self.std} is zero in {tensor.dtype}: it cannot divide.")
        mean, std = (
            values.view(-1, 1, 1) if values.ndim == 1 else values for values in (mean, std)
        )
        return (tensor if self.inplace else tensor.clone()).sub_(mean).div_(std)

    def extra_repr(self) -> str:
        return f"mean={self.mean}, std={self.std}"


def resampling(interpolation: Any) -> Image.Resampling:
    """PIL's constant for a constant, for its name, or for torchvision's enumeration.

    >>> resampling("bicubic").name
    'BICUBIC'
    """
    if isinstance(interpolation, int):
        return Image.Resampling(interpolation)
    name = getattr(interpolation, "value", interpolation)  # of torchvision's InterpolationMode
    try:
        return Image.Resampling[str(name).upper()]
    except KeyError:
        known = ", ".join(mode.name.lower() for mode in Image.Resampling)
        raise ValueError(f"interpolation is one of {known}, not {name!r}") from None


def pair(size: Size) -> tuple[int, int]:
    """Height and width; a single number means a square."""
    if isinstance(size, int):
        return size, size
    if len(size) not in (1, 2):
        raise ValueError(f"size is a number or (height, width), not {size!r}")
    return size[0], size[-1]


def _height_and_width(img: Any) -> tuple[int, int]:
    if isinstance(img, Tensor):
        return img.shape[-2], img.shape[-1]
    if isinstance(img, Image.Image):
        return img.height, img.width
    raise TypeError(f"a picture is a PIL image or a tensor here, not {type(img)}")


def _resize_tensor(img: Tensor, size: tuple[int, int], mode: str, antialias: bool | None) -> Tensor:
    smooth = mode in ("bilinear", "bicubic")
    batch = img if img.ndim >= 4 else img.unsqueeze(0)
    if img.dtype not in (torch.float32, torch.float64):
        batch = batch.to(torch.float32)
    batch = F.interpolate(
        batch,
        size=size,
        mode=mode,
        align_corners=False if smooth else None,
        antialias=bool(antialias) and smooth,
    )
    if mode == "bicubic" and img.dtype == torch.uint8:
        batch = batch.clamp(0, 255)  # bicubic weights are negative in places
    if img.dtype in _ROUNDED:
        batch = batch.round()
    return (batch if img.ndim >= 4 else batch.squeeze(0)).to(img.dtype)


def _margins(missing: int) -> tuple[int, int]:
    return (missing // 2, (missing + 1) // 2) if missing > 0 else (0, 0)


def _offset(length: int, wanted: int) -> int:
    return max(0, round((length - wanted) / 2))


def _pad(img: Any, margins: tuple[int, int, int, int], fill: int) -> Any:
    """Add left, top, right and bottom margins."""
    left, top, right, bottom = margins
    if isinstance(img, Tensor):
        return F.pad(img, (left, right, top, bottom), value=fill)
    bands = len(img.getbands())
    padded = ImageOps.expand(img, margins, fill if bands == 1 else (fill,) * bands)
    if img.mode == "P":
        padded.putpalette(img.getpalette())
    return padded


# Of PIL's modes that have no bytes as pixels; bit patterns of I;16 are kept, as torchvision does.
_ARRAY_TYPES: dict[str, type[np.generic]] = {
    "I": np.int32,
    "I;16" if sys.byteorder == "little" else "I;16B": np.int16,
    "F": np.float32,
}

# An integer type that is not here is cut off instead.
_ROUNDED = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
