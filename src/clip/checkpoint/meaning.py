"""What the weights leave open: how a model is to compute with them and to prepare its pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..architecture import Architecture
from ..errors import CheckpointError

__all__ = [
    "ACTIVATIONS",
    "INTERPOLATIONS",
    "OPENAI_MEAN",
    "OPENAI_STD",
    "RESIZE_MODES",
    "Activation",
    "Interpolation",
    "Meaning",
    "ResizeMode",
]

Activation = Literal["quick_gelu", "gelu"]
Interpolation = Literal["bicubic", "bilinear"]
ResizeMode = Literal["shortest", "longest", "squash"]

# By their names, as configs write them.
ACTIVATIONS: dict[object, Activation] = {"quick_gelu": "quick_gelu", "gelu": "gelu"}
INTERPOLATIONS: dict[object, Interpolation] = {"bicubic": "bicubic", "bilinear": "bilinear"}
RESIZE_MODES: dict[object, ResizeMode] = {
    "shortest": "shortest",
    "longest": "longest",
    "squash": "squash",
}

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)

_HEAD_WIDTHS = {1280: 80, 1408: 88, 1664: 104, 1792: 112}
"""Widths of open_clip's ViT-H, g, bigG and e, whose heads are wider than OpenAI's 64 channels."""


@dataclass(frozen=True)
class Meaning:
    """Read from the config beside the weights; OpenAI's choices where there is none.

    Attributes:
        activation: of the MLPs in both towers; None where the file does not say, see `settled`.
        vision_heads: attention heads of the ViT, or of a ResNet's attention pool; None: not said.
        text_heads: attention heads of the text tower; None: not said.
        vision_mlp_width: hidden width of the ViT's MLPs; None: 4 times its width.
        text_mlp_width: hidden width of the text tower's MLPs; None: 4 times its width.
        vision_eps, text_eps: epsilon of the layer norms.
        mean, std: of the three channels of a picture with values from 0 to 1.
        interpolation: of the resize.
        resize_mode: "shortest" side to the resolution, then cropped; "longest" side to the
            resolution, then padded; "squash" both sides, the shape is lost.
        fill_color: of the padding, from 0 to 255.
        source: the file that says so, or "OpenAI's defaults".
        doubtful: open_clip wrote the weights, but its config is not there.
    """

    activation: Activation | None = None
    vision_heads: int | None = None
    text_heads: int | None = None
    vision_mlp_width: int | None = None
    text_mlp_width: int | None = None
    vision_eps: float = 1e-5
    text_eps: float = 1e-5
    mean: tuple[float, float, float] = OPENAI_MEAN
    std: tuple[float, float, float] = OPENAI_STD
    interpolation: Interpolation = "bicubic"
    resize_mode: ResizeMode = "shortest"
    fill_color: int = 0
    source: str = "OpenAI's defaults"
    doubtful: bool = False

    def settled(self, architecture: Architecture, path: str) -> Meaning:
        """The same with activation and heads decided: as said, or else OpenAI's.

        OpenAI's are QuickGELU and a head for each 64 channels.

        Raises:
            CheckpointError: nobody has said it, and the weights are not like those of a model of
                OpenAI's; or the heads do not divide the width.
            ValueError: the activation is unknown, or mean and std are not three numbers each.

        >>> vit = Architecture(512, 224, 12, 768, 32, 77, 49408, 512, 8, 12)
        >>> meaning = Meaning(activation="gelu").settled(vit, "ViT-B-32.pt")
        >>> meaning.activation, meaning.vision_heads, meaning.text_heads
        ('gelu', 12, 8)
        """
        if self.activation not in (None, *ACTIVATIONS):
            raise ValueError(f"activation={self.activation!r} is not one of {[*ACTIVATIONS]}")
        if len(self.mean) != 3 or len(self.std) != 3:
            raise ValueError("mean and std have a number for each of the three channels")
        if self.doubtful and self.activation is None:
            raise CheckpointError(
                path,
                "it was written by open_clip, whose models use GELU or QuickGELU, and no "
                "open_clip_config.json beside it says which",
                'Pass activation="gelu", or "quick_gelu" for models with quickgelu in their name.',
            )
        vit = architecture.vision_patch_size is not None
        head_width = _HEAD_WIDTHS.get(architecture.vision_width) if vit else None
        if head_width and (self.activation is None or self.vision_heads is None):
            raise _ambiguous(path, architecture.vision_width, head_width)

        vision_channels = architecture.vision_width * (1 if vit else 32)
        return replace(
            self,
            activation=self.activation or "quick_gelu",
            vision_heads=_heads(path, "vision", self.vision_heads, vision_channels),
            text_heads=_heads(path, "text", self.text_heads, architecture.transformer_width),
        )


def _heads(path: str, tower: str, heads: int | None, channels: int) -> int:
    count = channels // 64 if heads is None else heads
    if count < 1 or channels % count:
        raise CheckpointError(
            path,
            f"the {channels} channels of the {tower} tower cannot be shared by "
            + (
                f"{count} attention heads"
                if heads is not None
                else "heads of 64 channels, as OpenAI's have"
            ),
            f"Pass {tower}_heads= with the number that the model was trained with.",
        )
    return count


def _ambiguous(path: str, width: int, head_width: int) -> CheckpointError:
    return CheckpointError(
        path,
        f"a ViT with {width} channels, a size that OpenAI never published and the weights alone "
        "do not say how it computes",
        f'For open_clip\'s models pass vision_heads={width // head_width} and activation="gelu" '
        '("quick_gelu" for those with quickgelu in their name), or load the directory that holds '
        "the weights with their open_clip_config.json or config.json.",
    )
