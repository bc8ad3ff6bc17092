"""The model on every device that is to run it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from snaplink.encoder import Encoder, load_encoder

__all__ = ["Models"]

_BATCH = {"cpu": 32, "cuda": 256}
_ELSEWHERE = 64
_THREADS_PER_DEVICE = 2
"""While one batch is copied and its kernels are launched, another one runs."""


@dataclass(frozen=True)
class Models:
    """Loads a model, once a device; picklable.

    Attributes:
        model: see `load_encoder`.
        device: where it runs; by default on every GPU of CUDA, else on the CPU.
        precision: see `load_encoder`.
        batch_size: pictures that it sees at once; by default what suits the device.
    """

    model: str | os.PathLike[str] = "tiny"
    device: str | None = None
    precision: str | None = None
    batch_size: int | None = None

    def everywhere(self) -> Sequence[Encoder]:
        """What runs the model: one encoder a thread, several threads for an accelerator."""
        devices = self._devices()
        encoders = [self.on(device) for device in devices]
        threads = 1 if devices == ["cpu"] else _THREADS_PER_DEVICE
        return [encoder for encoder in encoders for _ in range(threads)]

    def on(self, device: str) -> Encoder:
        """The model on one device."""
        return load_encoder(self.model, device, self.precision, self.batch_on(device))

    def batch_on(self, device: str) -> int:
        """How many pictures the model sees at once there."""
        return self.batch_size or _BATCH.get(device.partition(":")[0], _ELSEWHERE)

    def _devices(self) -> list[str]:
        import torch

        if self.device is not None and self.device != "cuda":
            return [self.device]
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return [f"cuda:{number}" for number in range(count)] or [self.device or "cpu"]
