"""The door: which kind of data is it, and who reads it?"""

from __future__ import annotations

import os
from pathlib import Path

from snaplink.errors import ArgumentError

from . import folders, named, shards, stores, tables
from .classes import ClassNames
from .data import Labelled, Task
from .tables import Columns

__all__ = ["open"]


def open(  # labelled.open reads as it should
    data: str | os.PathLike[str],
    *,
    task: Task | None = None,
    split: str | None = None,
    label: str = "label",
    picture: str | None = None,
    caption: str = "caption",
    separator: str | None = None,
    class_names: ClassNames | None = None,
    published: bool = False,
    root: str | os.PathLike[str] = "data",
) -> Labelled:
    """Find out what labelled data are there, without decoding a picture.

    Args:
        data: one of these.
            A folder of class folders (torchvision's ImageFolder layout).
            A folder of webdataset shards as CLIP_benchmark writes them (``test/0.tar`` ..., with
            ``classnames.txt``), or one ``.tar``.
            A ``.csv``, ``.tsv`` or ``.parquet`` with a column of pictures (paths, from the
            table's own folder, or bytes) and one of labels.
            A store made by `snaplink embed`, whose metadata hold the labels.
            ``torchvision:CIFAR10`` or ``datasets:cifar10``, where that package is installed.
        task: by default what the data look like.
        split: the folder, or the named set's part; by default ``test`` where there is one.
        label: the column that holds the labels: names, or numbers counted from 0.
        picture: the column that holds the pictures; by default the first of the usual names.
        caption: the column that holds captions, for retrieval.
        separator: what parts several labels in one cell of a table; makes the task multi-label.
        class_names: what the classes are called in prompts. A list in the order of the classes,
            or one that names all the labels of the data (and may hold more); or a dict from
            labels to names. A name may be several: the first is shown, all go into prompts.
        published: whether `class_names` is a list as others published it, in which two classes may
            have one name, as ImageNet's has.
        root: where torchvision's data sets lie.

    Raises:
        ArgumentError: the data are not there or not labelled, or the class names do not fit.
        StoreError: the store cannot be used.
    """
    columns = Columns(label, picture, caption, separator, published)
    task = task or ("multilabel" if separator else None)
    given = os.fspath(data)
    if given.partition(":")[0] in named.LIBRARIES and not Path(given).exists():
        return named.read(
            given, columns, task=task, split=split, class_names=class_names, root=root
        )
    path = Path(given)
    if not path.exists():
        raise ArgumentError(f"there is no file or folder {given!r}")
    if path.is_file() and path.suffix.lower() in tables.ENDINGS:
        return tables.read(path, path.stem, columns, task=task, class_names=class_names)
    name = path.resolve().name
    if shards.are_shards(path):
        return shards.read(
            path, name, task=task, split=split, class_names=class_names, published=published
        )
    if path.is_file():
        raise ArgumentError(
            f"{given} is no table of labels: one ends in {', '.join(tables.ENDINGS)} (or in .tar, "
            "for a shard)"
        )
    if stores.is_store(path):
        return stores.read(path, name, columns, task=task, class_names=class_names)
    return folders.read(folders.split_of(path, split), name, class_names, published=published)
