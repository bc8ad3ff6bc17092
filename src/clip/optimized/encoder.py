"""The packed model: both towers behind the interface of `clip.model.CLIP`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from torch import Tensor

from ..model import VisionTransformer
from .linears import Kit
from .resnet import ResNet
from .stack import own
from .text import TextTower
from .vit import ViT

__all__ = ["OptimizedCLIP", "Visual"]


@dataclass(frozen=True)
class Visual:
    """What callers ask a picture tower.

    Attributes:
        input_resolution: side of the square pictures, in pixels.
        output_dim: width of the features.
    """

    input_resolution: int
    output_dim: int


class OptimizedCLIP:
    """A frozen encoder on the CPU; `clip.optimize` makes it.

    It keeps packed copies: later changes of the model that it was made of do not reach it.
    It has no gradients and no modules to reach into. Several threads can use one.

    Attributes:
        precision: "fp32", "bf16" or "int8".
        visual: has `input_resolution` and `output_dim`.
        context_length: tokens of a text.
        logit_scale: float32 scalar, before `exp`.
        dtype: float32, that of pixels and features.
    """

    dtype = torch.float32
    training = False

    def __init__(self, model: Any, precision: str, kit: Kit) -> None:
        self.precision = precision
        self.visual = Visual(model.visual.input_resolution, model.visual.output_dim)
        self.context_length: int = model.context_length
        self.logit_scale = own(model.logit_scale)
        self._pictures: ViT | ResNet
        if type(model.visual) is VisionTransformer:
            self._pictures = ViT(model.visual, kit.pictures)
        else:
            self._pictures = ResNet(model.visual, kit.pictures, kit.convolutions)
        self._texts = TextTower(model, kit.texts, kit.first_text_block)

    def eval(self) -> OptimizedCLIP:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a packed model can be neither copied nor pickled, as its weights are laid out for "
            "this processor: send the model it was made of, and call clip.optimize where it runs"
        )

    @torch.no_grad()
    def encode_image(self, image: Tensor) -> Tensor:
        """Preprocessed pictures [N, 3, R, R] to features, float32 [N, E], not normalised.

        Raises:
            ValueError: the pictures have another shape.
        """
        side = self.visual.input_resolution
        if image.dim() != 4 or image.shape[1:] != (3, side, side):
            raise ValueError(
                f"pictures of shape {list(image.shape)}: [N, 3, {side}, {side}] expected, "
                "as the model's preprocess gives them"
            )
        if not len(image):
            return torch.empty(0, self.visual.output_dim)
        with torch.autocast("cpu", enabled=False):  # the layers know what they compute in
            return self._pictures(image.to("cpu", torch.float32).contiguous())

    @torch.no_grad()
    def encode_text(self, text: Tensor) -> Tensor:
        """Token ids [N, L], int32 or int64, to features, float32 [N, E], not normalised.

        Raises:
            ValueError: the tokens have another shape.
            IndexError: a token is not in the vocabulary.
        """
        if text.dim() != 2 or not 0 < text.shape[1] <= self.context_length:
            raise ValueError(
                f"tokens of shape {list(text.shape)}: [N, {self.context_length}] expected, "
                "as clip.tokenize gives them"
            )
        if not len(text):
            return torch.empty(0, self._texts.output_dim)
        if text.min() < 0:
            raise IndexError(f"token {int(text.min())} is negative: clip.tokenize pads with 0")
        with torch.autocast("cpu", enabled=False):
            return self._texts(text.cpu())

    def __call__(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine similarities times `logit_scale.exp()`: [pictures, texts] and its transpose."""
        pictures = F.normalize(self.encode_image(image), dim=-1)
        texts = F.normalize(self.encode_text(text), dim=-1)
        logits = self.logit_scale.exp() * pictures @ texts.T
        return logits, logits.T
