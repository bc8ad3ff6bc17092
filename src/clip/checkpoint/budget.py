"""How much memory a file may make us spend on reading its description of the weights."""

from __future__ import annotations

from ..errors import CheckpointError

__all__ = ["Budget"]

_BASE = 32 << 20
_MOST = 192 << 20


class Budget:
    """Bytes that parsing may still take, roughly counted and never given back.

    Each object that a file makes us create is charged with about its size before it is created. So
    a small file cannot ask for much memory, nor, since each step costs something, for much time.

    Args:
        path: of the file, for the error.
        size: of the file in bytes. A checkpoint of hundreds of megabytes may well hold many
            thousands of names and numbers beside its weights; one of a few kilobytes may not.

    >>> Budget("small.pt", size=1000).spend(10**9)
    Traceback (most recent call last):
    clip.errors.CheckpointError: small.pt: beside the weights it holds more objects than ...
    """

    def __init__(self, path: str, size: int) -> None:
        self.path = path
        self.left = min(_BASE + size // 2, _MOST)

    def spend(self, nbytes: int) -> None:
        """Charge for an object of this size, or raise a CheckpointError."""
        self.left -= nbytes
        if self.left < 0:
            raise CheckpointError(
                self.path,
                "beside the weights it holds more objects than a checkpoint of its size should",
                "If you trust it, save its state dict alone in a file of its own.",
            )
