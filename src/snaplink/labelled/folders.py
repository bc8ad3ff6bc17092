"""Class folders: one folder a class, pictures inside (torchvision's ImageFolder layout)."""

from __future__ import annotations

from pathlib import Path

from snaplink import images
from snaplink.errors import ArgumentError, PictureError

from .classes import ClassNames, classes
from .data import Labelled, Sample

__all__ = ["read", "split_of"]

_SPLITS = ("test", "val", "valid", "validation")


def split_of(folder: Path, split: str | None) -> Path:
    """The part of the data to use: the folder asked for, or the usual one if there is any.

    Raises:
        ArgumentError: the part that was asked for is not there.
    """
    if split:
        if not (folder / split).is_dir():
            there = ", ".join(sorted(p.name for p in folder.iterdir() if p.is_dir())) or "no folder"
            raise ArgumentError(f"{folder}: there is no {split!r} in it, but {there}")
        return folder / split
    # One lone "test" may well be a class: a part is known by its counterpart.
    return next(
        (folder / s for s in _SPLITS if (folder / s).is_dir() and (folder / "train").is_dir()),
        folder,
    )


def read(
    folder: Path, name: str, class_names: ClassNames | None, *, published: bool = False
) -> Labelled:
    """Labelled pictures of class folders; see `door.open`."""
    folders = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not folders:
        raise ArgumentError(
            f"{folder}: no class folders in it. Give a folder that has one folder a class with "
            "the pictures inside, or a table (.csv, .parquet) that names a label for each picture"
        )
    found = {each.name: _pictures(each) for each in folders}
    known = classes(found, class_names, published=published)
    samples = [
        Sample(path.relative_to(folder).as_posix(), path, (known.positions[label],))
        for label, paths in found.items()
        for path in paths
    ]
    return Labelled(name, "classification", samples, known.names, known.synonyms)


def _pictures(folder: Path) -> list[Path]:
    def empty(error: PictureError) -> None:
        raise ArgumentError(
            f"the class folder {folder} has no picture: remove it, or put pictures in. To keep a "
            "class without pictures among the answers, list all names with --classes"
        )

    return list(images.find([folder], on_bad=empty))
