"""Every error that `clip` raises on purpose.

    ClipError (a RuntimeError, as openai/CLIP raises)
    ├── ModelNotFoundError     no official model, spelling, file or directory has this name
    ├── CheckpointError        a file that cannot be used as a CLIP checkpoint
    │   └── WrongHashError     a named model's file whose bytes are not the published ones
    ├── DownloadError          a download that did not end with the right bytes
    │   └── OfflineError       the file is not cached and the network is switched off
    ├── OptimizeError          a model that `clip.optimize` cannot pack, or not for this computer
    └── TextTooLongError       a text that does not fit the context length

A message says what is wrong, where, and what to do next.
"""

from __future__ import annotations

import os

__all__ = [
    "CheckpointError",
    "ClipError",
    "DownloadError",
    "ModelNotFoundError",
    "OfflineError",
    "OptimizeError",
    "TextTooLongError",
    "WrongHashError",
]


class ClipError(RuntimeError):
    """The root of the tree: catch it to catch them all."""


class ModelNotFoundError(ClipError):
    """The name given to `clip.load` means nothing that we know."""


class CheckpointError(ClipError):
    """A file that cannot be used as a CLIP checkpoint.

    Args:
        path: the file or directory that was read.
        problem: what is wrong with it, as a phrase without a full stop.
        advice: what the reader of the message can do, as a sentence.

    >>> print(CheckpointError("RN50.pt", "the file ends early", "Download it again."))
    RN50.pt: the file ends early. Download it again.
    """

    def __init__(self, path: str | os.PathLike[str], problem: str, advice: str = "") -> None:
        self.path = os.fspath(path)
        self.problem = _printable(problem)
        self.advice = advice
        super().__init__(f"{_printable(self.path)}: {self.problem}. {advice}".rstrip())

    def __reduce__(self) -> tuple[type[CheckpointError], tuple[str, str, str]]:
        return type(self), (self.path, self.problem, self.advice)


class WrongHashError(CheckpointError):
    """The file of a named model has not the published hash: damaged, or another file."""


def _printable(text: str) -> str:
    # It may be, or quote, a name of whatever letters: none may reach a terminal as a command.
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


class DownloadError(ClipError):
    """A download that did not end with the right bytes; nothing wrong was left in the cache."""


class OfflineError(DownloadError):
    """The file is not in the cache and `CLIP_OFFLINE` forbids to fetch it."""


class TextTooLongError(ClipError):
    """A text has more tokens than the context length; see `tokenize(..., truncate=True)`."""


class OptimizeError(ClipError):
    """`clip.optimize` would change what the model computes, or this computer cannot run it."""
