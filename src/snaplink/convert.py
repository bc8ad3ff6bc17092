"""A checkpoint of any format to safetensors: OpenAI's layout, or a directory for transformers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from clip import checkpoint as checkpoints
from clip import receipts
from clip.checkpoint import Checkpoint
from clip.checkpoint.own_config import meaning_as_metadata
from clip.model import half_precision_keys, skeleton

from .errors import ArgumentError
from .transformers_directory import check_convertible, config_files, transformers_weights

__all__ = ["convert"]


def convert(
    checkpoint: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    to: Literal["openai", "transformers"] = "openai",
    dtype: torch.dtype | None = None,
    **meaning: Any,
) -> Path:
    """Write a checkpoint as safetensors; nothing in it is executed.

    The weights have the values that `clip.load` gives a model. The metadata of the new file name
    the source and its SHA-256. What OpenAI's layout has no place for (GELU, heads, the pictures'
    mean) is kept there too, where `clip.load` finds it.

    Args:
        checkpoint: path of a file or directory in any format that `clip.load` reads.
        out: path of the safetensors file to write; with ``to="transformers"`` of a directory for
            `CLIPModel.from_pretrained` and `CLIPProcessor.from_pretrained`. What has the same
            name is replaced, as soon as its successor is whole.
        to: the layout.
        dtype: of all weights; by default each keeps the one that it is stored in.
        **meaning: fields of `clip.checkpoint.Meaning` that overrule the checkpoint's config, as for
            `clip.load`.

    Returns:
        The path of what was written.

    Raises:
        clip.errors.CheckpointError: the checkpoint cannot be used.
        ArgumentError: the layout cannot hold this model, or `out` cannot be written.

    >>> import tempfile
    >>> from clip.registry import TINY
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     convert(TINY, Path(folder) / "tiny.safetensors", dtype=torch.float16).name
    'tiny.safetensors'
    """
    if to not in ("openai", "transformers"):
        raise ArgumentError(f"to={to!r} is neither 'openai' nor 'transformers'")
    out = Path(out)
    with checkpoints.open(checkpoint) as opened:
        sizes = opened.architecture
        said = replace(opened.meaning, **meaning).settled(sizes, opened.path)
        if to == "transformers":
            check_convertible(sizes, said)
        weights = _weights(opened, dtype)
        metadata = {"format": "pt", **_origin(opened)}
    with _writing(out):
        if to == "openai":
            _save(out, weights, {**metadata, **meaning_as_metadata(said)})
            return out
        weights = transformers_weights(weights)
        out.mkdir(parents=True, exist_ok=True)
        _save(out / "model.safetensors", weights, metadata)
        for name, text in config_files(sizes, said, _common_dtype(weights)).items():
            _place(out / name, text)
    return out


def _weights(opened: Checkpoint, dtype: torch.dtype | None) -> dict[str, Tensor]:
    """As `clip.load` reads them: an archive's are rounded to float16, as openai/CLIP does."""
    rounded = half_precision_keys(skeleton(opened.architecture)) if opened.rounds_to_half else ()
    return opened.read(
        lambda _, stored: dtype if dtype and stored.is_floating_point else stored,
        through_half=rounded,
    )


def _origin(opened: Checkpoint) -> dict[str, str]:
    """Name and SHA-256 of the source; of a directory with several files each with its hash."""
    entries = opened.tensors.values()
    parts = (part for each in entries for part in (each if isinstance(each, tuple) else (each,)))
    hashes = {}
    for path in sorted({part.source.path for part in parts}):
        with Path(path).open("rb") as file:
            hashes[Path(path).name] = receipts.sha256_of(file)
    if len(hashes) == 1:
        return {"source": Path(opened.path).name, "source_sha256": next(iter(hashes.values()))}
    listed = " ".join(f"{name}:{sha256}" for name, sha256 in hashes.items())
    return {"source": Path(opened.path).name, "source_sha256": listed}


def _common_dtype(weights: Mapping[str, Tensor]) -> str:
    """The dtype to compute in: that of all weights, or float32 where they differ."""
    dtypes = {tensor.dtype for tensor in weights.values()}
    return str(dtypes.pop() if len(dtypes) == 1 else torch.float32).removeprefix("torch.")


def _save(file: Path, weights: dict[str, Tensor], metadata: dict[str, str]) -> None:
    with _replacing(file) as partial:
        save_file(weights, partial, metadata=metadata)


def _place(file: Path, text: str) -> None:
    with _replacing(file) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def _replacing(file: Path) -> Iterator[Path]:
    """A path beside the file, which takes its name once it is whole."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        partial.touch()
        mode = partial.stat().st_mode
        yield partial
        partial.chmod(mode)  # as any new file's; safetensors lets nobody else read what it writes
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ArgumentError(f"{out} cannot be written: {reason}") from error
