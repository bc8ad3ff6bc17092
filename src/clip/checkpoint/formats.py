"""Recognise a file by its first bytes, and say what it is if it is no checkpoint."""

from __future__ import annotations

from ..errors import CheckpointError
from . import zip as zip_container
from .budget import Budget
from .contents import Contents
from .legacy import read_legacy
from .safetensors import is_safetensors, read_safetensors
from .source import FileSource
from .torch_zip import read_torch_zip

__all__ = ["read_contents"]

_DOWNLOAD = "Download the checkpoint itself"
_UNPACK = "Unpack it, and give the path of the checkpoint in it"
_RESAVE = "Load it with the program that wrote it, and save the weights with torch.save"

# What people have in place of a checkpoint: how it begins, what it is, what to do.
_OTHERS = (
    (
        b"version https://git-lfs",
        "this is a Git LFS pointer, not the file itself",
        "Run git lfs pull",
    ),
    (b"<", "this is an HTML or XML page, not a checkpoint", f"{_DOWNLOAD}, not the page about it"),
    (b"{", "this is a JSON text, not a checkpoint", "Give the path of the weights beside it"),
    (b"PK\x05\x06", "this zip archive is empty", _DOWNLOAD),
    (b"\x1f\x8b", "this is a gzip archive", _UNPACK),
    (b"BZh", "this is a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ", "this is an xz archive", _UNPACK),
    (b"7z\xbc\xaf", "this is a 7z archive", _UNPACK),
    (b"Rar!", "this is a rar archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "this is a zstd archive", _UNPACK),
    (b"\x89HDF", "this is an HDF5 file, as Keras and TensorFlow write", _RESAVE),
    (b"GGUF", "this is a GGUF file, as llama.cpp reads", _RESAVE),
    (b"\x93NUMPY", "this is a numpy array", _RESAVE),
    (b"\xff\xd8\xff", "this is a JPEG picture", "Give the path of a checkpoint"),
    (b"\x89PNG", "this is a PNG picture", "Give the path of a checkpoint"),
)


def read_contents(source: FileSource, budget: Budget) -> Contents:
    """Read a file in any of the formats up to its description of the weights.

    Raises:
        CheckpointError: it is none of them, or damaged.
    """
    if not source.size:
        raise CheckpointError(source.path, "the file is empty", f"{_DOWNLOAD} again.")
    start = source.read(0, min(source.size, 512))
    if start.startswith(zip_container.SIGNATURE):
        return read_torch_zip(source, budget)
    if is_safetensors(start):
        return read_safetensors(source, budget)
    if start[:1] == b"\x80":
        return read_legacy(source, budget)
    raise _unknown(source, start)


def _unknown(source: FileSource, start: bytes) -> CheckpointError:
    if start[257:262] == b"ustar":
        return CheckpointError(
            source.path,
            "this is a tar archive: another archive, or torch's format from before 0.1.10",
            "If torch wrote it and you trust it, save it again: "
            "torch.save(torch.load(path, weights_only=False), new_path).",
        )
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    for beginning, problem, advice in _OTHERS:
        if start.startswith(beginning) or text.startswith(beginning):
            return CheckpointError(source.path, problem, f"{advice}.")
    if not start.strip(b"\0"):
        return source.damaged("the file begins with nothing but zeros")
    return CheckpointError(
        source.path,
        "this is no checkpoint in a format that we know",
        "Known are files of torch.save and torch.jit.save, and safetensors.",
    )
