"""Drawings on random grounds, placed, turned, outlined, tinted and spoilt: float32 batches."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

RESOLUTION = 64
MEAN = torch.tensor((0.48145466, 0.4578275, 0.40821073)).view(3, 1, 1)
STD = torch.tensor((0.26862954, 0.26130258, 0.27577711)).view(3, 1, 1)


def normalise(rgb: Tensor) -> Tensor:
    """Colours from 0 to 1 as the model takes them: CLIP's own mean and deviation."""
    return (rgb - MEAN) / STD


class Dice:
    """Random tensors from one seeded generator, a column of [n, 1, 1, 1] at a time."""

    def __init__(self, seed: int, n: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.n = n

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        shape = shape or (1, 1, 1)
        return torch.rand((self.n, *shape), generator=self.generator) * (high - low) + low

    def some(self, share: float) -> Tensor:
        """Places of a random share of the batch."""
        return torch.randperm(self.n, generator=self.generator)[: int(share * self.n)]

    def chance(self, p: float) -> Tensor:
        return self.uniform(0, 1) < p


def placed(drawing: Tensor, dice: Dice, mirrors: Tensor) -> Tensor:
    """Scale 0.55 to 1.05, turn by up to 10 degrees, shift within the frame, mirror."""
    scale = dice.uniform(0.55, 1.05).flatten()
    stretch = dice.uniform(0.92, 1.08).flatten()
    angle = dice.uniform(-math.pi / 18, math.pi / 18).flatten()
    flip = torch.where(mirrors & dice.chance(0.5).flatten(), -1.0, 1.0)
    room = (1 - scale).clamp(min=0.05)
    shift = dice.uniform(-1, 1, 2) * room[:, None]
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    rows = torch.stack(
        (
            torch.stack((cos * flip, -sin * flip), 1),
            torch.stack((sin * stretch, cos * stretch), 1),
        ),
        1,
    )
    offset = -(rows @ shift[:, :, None])
    grid = F.affine_grid(
        torch.cat((rows, offset), 2), [dice.n, 4, RESOLUTION, RESOLUTION], align_corners=False
    )
    return F.grid_sample(drawing, grid, align_corners=False)


def outlined(premultiplied: Tensor, dice: Dice) -> Tensor:
    """In two pictures of five, a dark line round the shapes; in half of these inside them too."""
    some = dice.some(0.4)
    ink, alpha = premultiplied[some, :3], premultiplied[some, 3:]
    line = F.max_pool2d(alpha, 3, 1, 1) - alpha
    light = ink.mean(1, keepdim=True)
    edge = F.max_pool2d(light, 3, 1, 1) + F.max_pool2d(-light, 3, 1, 1)
    inner = (edge * 4 - 0.8).clamp(0, 1) * alpha * dice.chance(0.5)[some]
    line = torch.maximum(line, inner)
    ink = ink * (1 - line) + dice.uniform(0, 0.2)[some] * line
    premultiplied[some] = torch.cat((ink, alpha + line * (1 - alpha)), 1)
    return premultiplied


def ground(dice: Dice) -> Tensor:
    """White in half of the pictures; else a plain colour, a gradient, or soft noise."""
    first, second = dice.uniform(0, 1, 3, 1, 1), dice.uniform(0, 1, 3, 1, 1)
    ramp = torch.linspace(0, 1, RESOLUTION)
    across = torch.where(dice.chance(0.5), ramp.view(1, 1, 1, -1), ramp.view(1, 1, -1, 1))
    gradient = first + (second - first) * across
    noise = F.interpolate(dice.uniform(0, 1, 3, 6, 6), (RESOLUTION, RESOLUTION), mode="bilinear")
    kind = dice.uniform(0, 1)
    other = torch.where(kind < 0.75, first.expand_as(gradient), gradient)
    other = torch.where(kind > 0.9, noise, other)
    return torch.where(kind < 0.55, torch.ones(()), other)


def spoilt(rgb: Tensor, dice: Dice) -> Tensor:
    """Brightness, saturation, blur, noise, and a rectangle cut out."""
    grey = rgb.mean(1, keepdim=True)
    saturation = torch.where(dice.chance(0.08), torch.zeros(()), dice.uniform(0.6, 1.4))
    rgb = (grey + (rgb - grey) * saturation) * dice.uniform(0.8, 1.1) + dice.uniform(-0.05, 0.05)
    some = dice.some(0.4)
    soft = F.avg_pool2d(rgb[some], 3, 1, 1, count_include_pad=False)
    rgb[some] = torch.lerp(rgb[some], soft, dice.uniform(-0.6, 1)[some])
    some = dice.some(0.25)
    rgb[some] += 0.04 * torch.randn(rgb[some].shape, generator=dice.generator)
    place = torch.arange(RESOLUTION)
    corner, size = dice.uniform(-8, RESOLUTION, 2), dice.uniform(8, 26, 2)
    inside = (place >= corner[..., None]) & (place < (corner + size)[..., None])  # [n, 2, side]
    hole = (inside[:, 0, :, None] & inside[:, 1, None, :])[:, None] & dice.chance(0.25)
    return torch.where(hole, dice.uniform(0, 1, 3, 1, 1), rgb)


def augment(drawing: Tensor, mirrors: Tensor, tinted: Tensor, seed: int) -> Tensor:
    """uint8 [n, 4, s, s] to normalised float32 [n, 3, 64, 64], the same for the same seed.

    `mirrors` and `tinted` are bool [n]: which may be mirrored, and which are of one colour, so
    that ink and ground may be any two that can be told apart.
    """
    dice = Dice(seed, len(drawing))
    pixels = drawing.float() / 255
    alpha = pixels[:, 3:]
    colour = dice.uniform(0, 0.75, 3, 1, 1) * dice.uniform(0, 1)
    ink = torch.where(tinted.view(-1, 1, 1, 1), colour, pixels[:, :3])
    moved = placed(torch.cat((ink * alpha, alpha), 1), dice, mirrors)
    moved = outlined(moved, dice)
    ink, alpha = moved[:, :3], moved[:, 3:]
    behind = torch.where(tinted.view(-1, 1, 1, 1) & dice.chance(0.7), torch.ones(()), ground(dice))
    rgb = ink + behind * (1 - alpha)
    negative = tinted.view(-1, 1, 1, 1) & dice.chance(0.3)
    return normalise(spoilt(torch.where(negative, 1 - rgb, rgb), dice))


def on_white(drawing: Tensor) -> Tensor:
    """Pictures to be recognised: uint8 [n, 4, s, s] on white, normalised float32 [n, 3, 64, 64]."""
    pixels = drawing.float() / 255
    alpha = pixels[:, 3:]
    rgb = pixels[:, :3] * alpha + 1 - alpha
    size = (RESOLUTION, RESOLUTION)
    resized = F.interpolate(rgb, size, mode="bicubic", antialias=True, align_corners=False)
    return normalise(resized.clamp(0, 1))
