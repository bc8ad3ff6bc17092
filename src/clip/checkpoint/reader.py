"""The door: open a checkpoint, see what is in it, read the weights."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import torch

from ..architecture import Architecture
from ..errors import CheckpointError
from .bounds import check_weights
from .budget import Budget
from .configs import ModelConfig
from .contents import Contents
from .directories import config_of, join_shards, read_directory
from .formats import read_contents
from .layouts import Entry, shape_of, to_openai
from .materialise import Target, materialise
from .meaning import Meaning
from .source import FileSource
from .tensors import StoredTensor
from .unpickle import described

__all__ = ["Checkpoint", "open"]

DtypeOf = Callable[[str, torch.dtype], torch.dtype]


@dataclass(frozen=True)
class Checkpoint:
    """An open checkpoint of a CLIP model, whose weights are not read yet.

    Use it in a ``with`` statement, which closes its files.

    Attributes:
        path: of the file or directory.
        format: in words, for instance "TorchScript archive" or "transformers directory".
        layout: whose names the file uses: "OpenAI", "open_clip" or "transformers".
        tensors: every weight in OpenAI's names: a tensor as a place in the file, or several that
            are to be joined along dimension 0.
        architecture: the sizes that the shapes show.
        meaning: what the weights leave open: the config's word, or OpenAI's choices.
        rounds_to_half: whether openai/CLIP would round the weights through float16: so for a
            TorchScript archive with its names.
        checksums: whether `read` compares the weights with the checksums of their file.
    """

    path: str
    format: str
    layout: str
    tensors: dict[str, Entry]
    architecture: Architecture
    meaning: Meaning
    rounds_to_half: bool
    checksums: bool
    _files: ExitStack

    def read(
        self, dtype_of: DtypeOf | None = None, through_half: Collection[str] = ()
    ) -> dict[str, torch.Tensor]:
        """Read all weights into memory of their own.

        The file may change or vanish afterwards: nothing refers to it any more.

        Args:
            dtype_of: the dtype that a weight of this name, stored in this dtype, is to have;
                default: as stored.
            through_half: names of weights whose values are rounded to float16 on the way.

        Returns:
            The state dict: contiguous tensors on the CPU, in OpenAI's names.

        Raises:
            CheckpointError: the file has become shorter, cannot be read, or does not fit its
                checksums.
        """
        weights: dict[str, torch.Tensor] = {}
        targets: list[Target] = []
        for name, entry in self.tensors.items():
            parts = entry if isinstance(entry, tuple) else (entry,)
            dtype = dtype_of(name, parts[0].dtype) if dtype_of else parts[0].dtype
            whole = self._uninitialised(shape_of(entry), dtype)
            weights[name] = whole
            first = 0
            for part in parts:
                piece = whole.narrow(0, first, part.shape[0]) if len(parts) > 1 else whole
                first += piece.shape[0] if piece.ndim else 0
                targets.append(Target(part, piece, name in through_half))
        materialise(targets, checksums=self.checksums)
        return weights

    def _uninitialised(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        # Not even inside of inference_mode may the weights of a model be inference tensors: other
        # threads fill them, and people train them later.
        with torch.inference_mode(False):
            try:
                return torch.empty(shape, dtype=dtype, device="cpu")
            except RuntimeError as error:
                raise _no_memory(self.path) from error

    def close(self) -> None:
        self._files.close()

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open(path: str | os.PathLike[str] | BinaryIO, *, checksums: bool = True) -> Checkpoint:
    """Open a checkpoint and read its headers; the weights stay in the file until `read`.

    Args:
        path: of a file (TorchScript archive, `torch.save` in either format, safetensors), of a
            directory as transformers or open_clip save one, or a file that is open for reading in
            binary mode. Such a file stays open, and is only read by position.
        checksums: compare the weights with the checksums that zip archives keep of them, when they
            are read. That takes a third of the time, and is of no use where the SHA-256 of the file
            is compared.

    Returns:
        The checkpoint, to be used in a ``with`` statement.

    Raises:
        CheckpointError: there is no CLIP model in it, or the file is damaged, hostile or of
            another kind; the message says what is wrong and what to do.
    """
    with ExitStack() as files:
        try:
            # Not pathlib's: that raises for a name that is too long.
            if isinstance(path, (str, os.PathLike)) and os.path.isdir(path):  # noqa: PTH112
                return _open_directory(Path(path), files, checksums)
            source = files.enter_context(FileSource(path))
            contents = read_contents(source, Budget(source.path, source.size))
            place = Path(source.path) if source.is_path else None
            config = config_of(place, contents.metadata, source.path)
            return _checkpoint(source.path, contents, config, files, checksums)
        except MemoryError as error:
            raise _no_memory(str(path)) from error


def _open_directory(path: Path, files: ExitStack, checksums: bool) -> Checkpoint:
    directory = read_directory(path)
    sources = [files.enter_context(FileSource(file)) for file in directory.weights]
    budget = Budget(str(path), sum(source.size for source in sources))
    trees = [read_contents(source, budget).tree for source in sources]
    whole = Contents(directory.format, join_shards(directory, trees))
    return _checkpoint(str(path), whole, directory.config, files, checksums)


def _checkpoint(
    path: str,
    contents: Contents,
    config: ModelConfig | None,
    files: ExitStack,
    checksums: bool,
) -> Checkpoint:
    tree = contents.tree
    if not isinstance(tree, (dict, list)):
        held = "one tensor" if isinstance(tree, StoredTensor) else described(tree)
        raise CheckpointError(
            path,
            f"there is no state dict in it: it holds {held}",
            "Save the model's state dict: torch.save(model.state_dict(), path).",
        )
    weights = to_openai(tree, config, path)
    check_weights(weights.tensors, path)
    return Checkpoint(
        path,
        contents.format,
        weights.layout,
        weights.tensors,
        weights.architecture,
        weights.meaning,
        contents.rounds_to_half and weights.layout == "OpenAI",
        checksums,
        files.pop_all(),
    )


def _no_memory(path: str) -> CheckpointError:
    return CheckpointError(
        path,
        "there is not enough memory to read it",
        "Close other programs, or use a machine with more memory.",
    )
