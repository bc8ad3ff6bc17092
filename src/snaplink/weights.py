"""The hash by which the weights of a model are known, whatever file they came in."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import torch

__all__ = ["weights_sha256"]


def weights_sha256(model: torch.nn.Module) -> str:
    """SHA-256 over the names, shapes and values of a model's state dict.

    Floating-point weights of 32 bits and fewer are hashed as float32, which holds each of them
    exactly: so a model has one hash whether it keeps its weights in fp16, as on a GPU, or in
    float32, as on a CPU. It is not the hash of a file: the same weights may come in many.

    >>> import torch
    >>> layer = torch.nn.Linear(2, 3)
    >>> weights_sha256(layer) == weights_sha256(torch.nn.Linear(2, 3))
    False
    """
    weights = sorted(model.state_dict().items())
    total = hashlib.sha256()
    with ThreadPoolExecutor(2) as threads:
        digests = threads.map(_tensor_sha256, (tensor for _, tensor in weights))
        for (name, tensor), digest in zip(weights, digests, strict=True):
            kind = "float" if tensor.is_floating_point() else str(tensor.dtype)
            total.update(f"{name} {kind} {list(tensor.shape)} ".encode() + digest)
    return total.hexdigest()


def _tensor_sha256(tensor: torch.Tensor) -> bytes:
    values = tensor.detach().cpu()
    if values.dtype in (torch.float16, torch.bfloat16):
        values = values.float()
    flat = values.contiguous().reshape(-1).view(torch.uint8).numpy()
    return hashlib.sha256(flat.data).digest()
