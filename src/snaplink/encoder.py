"""The only room that runs a model: pictures and texts in, features out."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from PIL import Image
from torch import Tensor

import clip
from clip.bulk import BulkPreprocess

from .errors import ArgumentError
from .weights import weights_sha256

if TYPE_CHECKING:
    from clip.optimized import AcceleratedCLIP, OptimizedCLIP

__all__ = ["ClipEncoder", "Encoder", "load_encoder"]

Batch = TypeVar("Batch", Tensor, list[str])


class Encoder(ABC):
    """What turns pictures and texts into features of one space.

    Attributes:
        name: what the model was loaded by.
        dim: width of the features.
        resolution: side of the square pictures that the model sees, in pixels.
        logit_scale: what cosines are multiplied by before a softmax; 100 for OpenAI's models.
        batch_size: how many pictures or texts run at once.
        precision: what the model computes in: "fp32", "bf16", "int8" or "fp16".
        bulk: the fast equal of `pixels`, from a picture or its file's bytes to uint8
            ``[3, resolution, resolution]``; None where `pixels` is a transform that it cannot read.
        preprocess: what `pixels` does, without the model, so that other processes can do it.
        context_length: tokens of a text that the model reads, start and end included.
    """

    name: str
    dim: int
    resolution: int
    logit_scale: float
    batch_size: int
    precision: str
    bulk: Any
    preprocess: Callable[[Image.Image], Tensor]
    context_length: int

    @abstractmethod
    def weights_sha256(self) -> str:
        """What the weights are, as `snaplink.fingerprint.weights_sha256` says it. Cached."""

    @abstractmethod
    def pixels(self, picture: Image.Image) -> Tensor:
        """The model's view of a picture, float32 ``[3, resolution, resolution]``. Thread-safe."""

    @abstractmethod
    def _pictures(self, pixels: Tensor) -> Tensor:
        """At most `batch_size` pictures' features, raw."""

    @abstractmethod
    def _texts(self, texts: list[str], truncate: bool) -> Tensor:
        """At most `batch_size` texts' features, raw."""

    def encode_pixels(self, pixels: Tensor, *, normalize: bool = False) -> Tensor:
        """Encode what `pixels` or `bulk` gave.

        Args:
            pixels: ``[n, 3, resolution, resolution]``, on any device: float as `pixels` gives it,
                or uint8 as `bulk` does.
            normalize: scale every feature to length 1.

        Returns:
            float32 ``[n, dim]`` on the CPU, without gradient.
        """
        batches = (self._normalized(batch) for batch in torch.split(pixels, self.batch_size))
        return self._batches(self._pictures, batches, normalize)

    def _normalized(self, pixels: Tensor) -> Tensor:
        if pixels.dtype is not torch.uint8:
            return pixels
        if self.bulk is None:
            raise ArgumentError(
                "pictures of whole numbers (uint8) came, but this encoder's own preprocessing is "
                "unknown: encode what its `pixels` returns"
            )
        return cast(Tensor, self.bulk.normalize(pixels))

    def encode_pictures(
        self, pictures: Iterable[Image.Image], *, normalize: bool = False
    ) -> Tensor:
        """Encode PIL pictures of any mode and size: float32 ``[n, dim]`` on the CPU."""
        pixels = [self.pixels(picture) for picture in pictures]
        return self.encode_pixels(
            torch.stack(pixels) if pixels else torch.empty(0, 3, self.resolution, self.resolution),
            normalize=normalize,
        )

    def encode_texts(
        self, texts: Sequence[str], *, normalize: bool = False, truncate: bool = False
    ) -> Tensor:
        """Encode texts: float32 ``[n, dim]`` on the CPU.

        Args:
            texts: any number of them.
            normalize: scale every feature to length 1.
            truncate: leave out what a text has beyond the tokens that the model reads.

        Raises:
            clip.errors.TextTooLongError: a text has more tokens, and is not to be truncated.
        """
        size = self.batch_size
        batches = [list(texts[start : start + size]) for start in range(0, len(texts), size)]
        return self._batches(lambda batch: self._texts(batch, truncate), batches, normalize)

    def _batches(
        self,
        encode: Callable[[Batch], Tensor],
        batches: Iterable[Batch],
        normalize: bool,
    ) -> Tensor:
        with torch.no_grad():
            # They stay on their device until all is queued: to fetch each would halt the queue.
            parts = [encode(batch).float() for batch in batches if len(batch)]
        features = torch.cat(parts).cpu() if parts else torch.empty(0, self.dim)
        return F.normalize(features, dim=-1) if normalize else features


class ClipEncoder(Encoder):
    """What `clip.load` gives, as an `Encoder`.

    Args:
        model: a CLIP model in eval mode, on the device where it is to run, or what
            `clip.optimize` made of one.
        preprocess: its transform, a PIL picture to a tensor ``[3, resolution, resolution]``.
        name: what to call it.
        batch_size: how many pictures or texts run at once.
        weights_sha256: that of the weights, for a model that has packed them away.
    """

    def __init__(
        self,
        model: clip.model.CLIP | OptimizedCLIP | AcceleratedCLIP,
        preprocess: Callable[[Image.Image], Tensor],
        name: str = "",
        batch_size: int = 32,
        *,
        weights_sha256: str | None = None,
    ) -> None:
        self.model: Any = model
        self.preprocess = preprocess
        self.bulk = BulkPreprocess.of(preprocess)
        self.precision = _precision(model)
        self._weights_sha256 = weights_sha256
        self.name = name
        self.batch_size = batch_size
        self.dim = model.visual.output_dim
        self.resolution = model.visual.input_resolution
        self.context_length = model.context_length
        self.logit_scale = model.logit_scale.detach().float().exp().item()

    def weights_sha256(self) -> str:
        if self._weights_sha256 is None:
            if not hasattr(self.model, "state_dict"):
                raise ArgumentError(
                    "an optimised model has packed its weights away: give their SHA-256 as "
                    "ClipEncoder(weights_sha256=…), or use snaplink.load_encoder"
                )
            self._weights_sha256 = weights_sha256(self.model)
        return self._weights_sha256

    def pixels(self, picture: Image.Image) -> Tensor:
        return self.preprocess(picture)

    def _normalized(self, pixels: Tensor) -> Tensor:
        return super()._normalized(self._placed(pixels))

    def _pictures(self, pixels: Tensor) -> Tensor:
        return cast(Tensor, self.model.encode_image(pixels))

    def _texts(self, texts: list[str], truncate: bool) -> Tensor:
        tokens = clip.tokenize(texts, self.model.context_length, truncate=truncate)
        if self._device.type != "cpu" and _is_causal(self.model):
            # The CPU's own path cuts, too. Lengths are read here: a GPU's would be waited for.
            tokens = tokens[:, : int(tokens.argmax(dim=-1).max()) + 1].contiguous()
        return cast(Tensor, self.model.encode_text(self._placed(tokens)))

    @property
    def _device(self) -> torch.device:
        return cast(torch.device, self.model.logit_scale.device)

    def _placed(self, tensor: Tensor) -> Tensor:
        """The tensor where the model is; the host waits for no copy to a GPU."""
        if self._device.type == "cuda" and tensor.device.type == "cpu":
            tensor = tensor.pin_memory()  # from other memory a copy cannot run in the background
        return tensor.to(self._device, non_blocking=self._device.type == "cuda")


def load_encoder(
    model: str | os.PathLike[str] = "tiny",
    device: str | torch.device | None = None,
    precision: str | None = None,
    batch_size: int = 32,
) -> ClipEncoder:
    """Load a model by the names and paths that `clip.load` knows.

    Args:
        model: an official name, ``"tiny"`` (the built-in one), a checkpoint file or directory.
        device: as torch names it; by default CUDA where there is any, else the CPU.
        precision: "fp32", "bf16", "int8" or "auto" for `clip.optimize`; None runs the model as it
            was loaded.
        batch_size: how many pictures or texts run at once.

    Raises:
        ArgumentError: there is no such device.
        clip.errors.ClipError: see `clip.load` and `clip.optimize`.
    """
    chosen = _available(device)
    network, preprocess = clip.load(model, device=chosen)
    if chosen.type == "cuda" and isinstance(network.visual, clip.model.ModifiedResNet):
        # The layout of cuDNN's fastest convolutions.
        network.visual.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    name = os.fspath(model)
    if precision is None:
        return ClipEncoder(network, preprocess, name, batch_size)
    sha256 = weights_sha256(network)
    packed = clip.optimize(network, precision)
    return ClipEncoder(packed, preprocess, name, batch_size, weights_sha256=sha256)


def _is_causal(model: Any) -> bool:
    """Is it our own text tower, in which no position sees what is behind it?"""
    if hasattr(model, "precision"):  # clip.optimize has looked
        return True
    return type(model) is clip.model.CLIP and all(
        getattr(block, "attn_mask", None) is not None for block in model.transformer.resblocks
    )


_PRECISIONS = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}


def _precision(model: Any) -> str:
    """An optimised model says it; else it is that of the large weights."""
    return getattr(model, "precision", None) or _PRECISIONS[model.dtype]


def _available(device: str | torch.device | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ArgumentError(f"the device {str(device)!r} cannot be used: {reason}") from None
    return chosen
