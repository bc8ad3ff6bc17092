"""An `Encoder` without a model, for tests: ours and those of code that uses snaplink."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from .encoder import Encoder

__all__ = ["FakeEncoder"]


class FakeEncoder(Encoder):
    """Features drawn from hashes: equal inputs give equal features, others unrelated ones.

    Args:
        dim: width of the features.
        resolution: side of the pictures that it sees; details below it go unseen.
        batch_size: as for any encoder.

    Attributes:
        batches: how many pictures or texts ran at once, for each run so far.

    >>> fake = FakeEncoder()
    >>> torch.equal(fake.encode_texts(["cat"]), fake.encode_texts(["cat", "dog"])[:1])
    True
    """

    def __init__(self, dim: int = 32, resolution: int = 8, batch_size: int = 4) -> None:
        self.name = "fake"
        self.dim = dim
        self.resolution = resolution
        self.logit_scale = 100.0
        self.batch_size = batch_size
        self.precision = "fp32"
        self.context_length = 77
        self.bulk = _Bulk(resolution)
        self.preprocess = self.bulk.exactly
        self.batches: list[int] = []

    def weights_sha256(self) -> str:
        return hashlib.sha256(f"fake, {self.dim}, {self.resolution}".encode()).hexdigest()

    def pixels(self, picture: Image.Image) -> Tensor:
        return self.preprocess(picture)

    def _pictures(self, pixels: Tensor) -> Tensor:
        return self._features([picture.contiguous().numpy().tobytes() for picture in pixels])

    def _texts(self, texts: list[str], truncate: bool) -> Tensor:
        return self._features([text.encode() for text in texts])

    def _features(self, inputs: list[bytes]) -> Tensor:
        self.batches.append(len(inputs))
        return torch.stack([self._feature(data) for data in inputs])

    def _feature(self, data: bytes) -> Tensor:
        seed = int.from_bytes(hashlib.sha256(data).digest()[:8], "little", signed=True)
        return torch.randn(self.dim, generator=torch.Generator().manual_seed(seed))


@dataclass(frozen=True)
class _Bulk:
    """Its preprocessing, as `clip.bulk.BulkPreprocess` is a model's."""

    resolution: int

    def __call__(self, picture: Image.Image | bytes) -> Tensor:
        if isinstance(picture, bytes):
            picture = Image.open(io.BytesIO(picture))
        small = picture.convert("RGB").resize((self.resolution, self.resolution))
        values = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8)
        return values.view(self.resolution, self.resolution, 3).permute(2, 0, 1).contiguous()

    def exactly(self, picture: Image.Image) -> Tensor:
        return self.normalize(self(picture))

    def normalize(self, pixels: Tensor) -> Tensor:
        return pixels / 255
