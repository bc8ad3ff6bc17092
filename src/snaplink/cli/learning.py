"""What the verbs that learn have in common: labelled data in, results and files out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from . import labelled_data
from .exits import say

if TYPE_CHECKING:
    from snaplink.encoder import Encoder
    from snaplink.head import FeatureKind
    from snaplink.labelled import Features, Labelled

__all__ = [
    "Reader",
    "batch_size",
    "demand_folder",
    "opened",
    "output",
    "seed",
    "upright",
    "write_json",
]

upright = click.option(
    "--upright", is_flag=True, help="Turn photographs as the camera noted (EXIF)."
)

batch_size = click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=32,
    metavar="N",
    show_default=True,
    help="Pictures that the model sees at once.",
)

output = click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.json",
    help="Keep the result as a file.",
)

seed = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    show_default=True,
    help="Of what is drawn by chance.",
)


class Reader:
    """Opens and encodes labelled data, and counts the pictures that cannot be used."""

    def __init__(self, encoder: Encoder, kind: str, turned: bool) -> None:
        self.encoder = encoder
        self.kind = cast("FeatureKind", kind)
        self.upright = turned
        self.skipped = labelled_data.Skipped()

    def __call__(self, data: Labelled) -> Features:
        from snaplink.examples import encode

        from .terminal import counted

        def watch(found: Iterator[int]) -> Iterator[int]:
            return counted(found, f"pictures of {data.name}")

        return encode(
            data,
            self.encoder,
            self.kind,
            upright=self.upright,
            on_bad=self.skipped,
            watch=watch,
        )


def opened(data: str, role: str, classes: str | None, where: dict[str, Any]) -> Labelled:
    """The labelled data, of which the split ``role`` is taken where they have it."""
    named = data.partition(":")[0] in ("torchvision", "datasets") and not Path(data).exists()
    split = role if named or (Path(data) / role).is_dir() else None
    return labelled_data.open_labelled(data, classes, split=split, **where)


def demand_folder(*paths: Path | None) -> None:
    """Find out that a file cannot be written before work is done in vain."""
    for path in filter(None, paths):
        if not path.absolute().parent.is_dir():
            raise click.UsageError(
                f"there is no folder {str(path.parent)!r} to write {path.name} into",
                click.get_current_context(),
            )


def write_json(result: dict[str, Any], path: Path | None, *, as_json: bool) -> None:
    """Into the file, if there is one, and to standard output, if that is asked for."""
    from snaplink.files import put

    text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if path:
        put(path, text.encode())
        say(f"wrote {path}")
    if as_json:
        sys.stdout.write(text)


def show(rows: Mapping[str, str]) -> None:
    """Names and values under each other."""
    from .terminal import printable

    widest = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:<{widest}}  {printable(value)}")
