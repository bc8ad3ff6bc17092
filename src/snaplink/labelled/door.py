"""The door: which kind of data is it, and who reads it?"""

from __future__ import annotations

import os
from collections.abc import Sequence

from .data import Labelled, Task

__all__ = ["open"]


def open(  # noqa: A001  # labelled.open reads as it should
    data: str | os.PathLike[str],
    *,
    task: Task | None = None,
    split: str | None = None,
    label: str = "label",
    picture: str | None = None,
    caption: str = "caption",
    separator: str | None = None,
    class_names: Sequence[str] | dict[str, str] | None = None,
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
            labels to names.
        root: where torchvision's data sets lie.

    Raises:
        ArgumentError: the data are not there or not labelled, or the class names do not fit.
        StoreError: the store cannot be used.
    """
    raise NotImplementedError
