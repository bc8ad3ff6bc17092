"""Archives that torch writes today: ``torch.save`` since 1.6, and ``torch.jit.save``."""

from __future__ import annotations

from ..errors import CheckpointError
from .budget import Budget
from .checksums import check_sum
from .contents import Contents
from .recipes import Region, Storage, TensorRecipes
from .source import FileSource
from .torch_file import plain_tree
from .unpickle import Stream, load
from .zip import ZipDirectory

__all__ = ["read_torch_zip"]


def read_torch_zip(source: FileSource, budget: Budget) -> Contents:
    """Read ``data.pkl``, and place the records ``data/…`` that it refers to.

    The code of a TorchScript archive and its ``constants.pkl`` are never looked at.
    """
    directory = ZipDirectory(source, budget)
    folder = _folder(directory)
    start, nbytes = directory.place(f"{folder}data.pkl")
    check_sum(source, start, nbytes, directory.checksum(f"{folder}data.pkl"))
    pickled = load(Stream(source, start, start + nbytes), budget)

    def locate(storage: Storage) -> Region:
        name = f"{folder}data/{storage.key}"
        start, nbytes = directory.place(name)
        if nbytes != storage.total * storage.dtype.itemsize:
            raise source.damaged(
                f"its record {name:.80} has {nbytes} bytes, but "
                f"{storage.total} elements of {storage.dtype} are expected"
            )
        return Region(start, nbytes, directory.checksum(name))

    recipes = TensorRecipes(source, locate, big_endian=_is_big_endian(directory, folder))
    script = f"{folder}constants.pkl" in directory.records
    return Contents(
        format="TorchScript archive" if script else "torch.save zip",
        tree=plain_tree(pickled, recipes, budget),
        rounds_to_half=script,
    )


def _folder(directory: ZipDirectory) -> str:
    """The folder in the archive that holds everything; torch names it after the file."""
    found = [
        name.removesuffix("data.pkl")
        for name in directory.records
        if name == "data.pkl" or (name.endswith("/data.pkl") and name.count("/") == 1)
    ]
    if not found:
        raise CheckpointError(
            directory.source.path,
            "this zip archive was not written by torch.save: it has no data.pkl",
            "Give the path of a checkpoint file; if it is inside of the archive, unpack it.",
        )
    if len(found) > 1:
        raise directory.source.damaged("it has more than one data.pkl")
    return found[0]


def _is_big_endian(directory: ZipDirectory, folder: str) -> bool:
    # torch has written the record since 2.1; all files from before are from little-endian machines.
    if f"{folder}byteorder" not in directory.records:
        return False
    order = directory.read(f"{folder}byteorder", longest=16)
    if order not in (b"little", b"big"):
        raise directory.source.damaged("its byte order is neither little nor big")
    return order == b"big"
