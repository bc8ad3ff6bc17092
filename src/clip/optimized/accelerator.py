"""The same interface on CUDA and MPS: torch's own modules in half precision, nothing private."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from torch import Tensor

from ..errors import OptimizeError
from ..model import ModifiedResNet, half_precision_keys
from .encoder import Visual

__all__ = ["AcceleratedCLIP"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class AcceleratedCLIP:
    """A frozen copy of the model on its device; attention there is torch's fused kernel already.

    No encode waits for the device: tokens that are on the CPU are cut to the longest caption
    before they go, tokens that are on the device stay whole.

    Args:
        model: on CUDA, MPS or the like, in eval mode.
        precision: "fp32", "bf16", or "auto" for what the model has, or bf16 where it has fp32.
    """

    training = False

    def __init__(self, model: Any, precision: str) -> None:
        device = model.logit_scale.device
        if precision == "int8":
            raise OptimizeError(f"int8 runs on a CPU; on {device.type} take bf16 or auto")
        if precision == "auto":
            precision = "fp16" if model.dtype is torch.float16 else "bf16"
        self.precision, self.dtype = precision, _DTYPES[precision]
        self._model = copy.deepcopy(model).requires_grad_(False)
        large = half_precision_keys(self._model)
        for name, tensor in self._model.state_dict(keep_vars=True).items():
            if name in large:
                tensor.data = tensor.data.to(self.dtype)
        if isinstance(model.visual, ModifiedResNet):
            self._model.visual.to(memory_format=torch.channels_last)
        self.visual = Visual(model.visual.input_resolution, model.visual.output_dim)
        self.context_length: int = model.context_length
        self.logit_scale: Tensor = self._model.logit_scale.data

    def eval(self) -> AcceleratedCLIP:
        return self

    @torch.no_grad()
    def encode_image(self, image: Tensor) -> Tensor:
        """Preprocessed pictures [N, 3, R, R] to features [N, E] on the device, not normalised."""
        pixels = image.to(self.logit_scale.device, self.dtype, non_blocking=True)
        features: Tensor = self._model.encode_image(pixels)
        return features

    @torch.no_grad()
    def encode_text(self, text: Tensor) -> Tensor:
        """Token ids [N, L] to features [N, E] on the device, not normalised."""
        if text.device.type == "cpu" and text.numel():
            text = text[:, : int(text.argmax(dim=-1).max()) + 1]
        features: Tensor = self._model.encode_text(
            text.to(self.logit_scale.device, non_blocking=True)
        )
        return features

    def __call__(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine similarities times `logit_scale.exp()`: [pictures, texts] and its transpose."""
        pictures = F.normalize(self.encode_image(image), dim=-1)
        texts = F.normalize(self.encode_text(text), dim=-1)
        logits = self.logit_scale.exp().to(self.dtype) * pictures @ texts.T
        return logits, logits.T
