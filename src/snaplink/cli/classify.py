"""`snaplink classify`: which of some labels fits each picture best."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
from click.core import ParameterSource

from snaplink.errors import PictureError

from . import options
from .exits import DONE, FAILED, say
from .labels import lines, split

if TYPE_CHECKING:
    from snaplink.classifier import Classifier
    from snaplink.head import HeadClassifier


def _existing(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> object:
    """Find a mistyped name before a model is loaded or even downloaded."""
    for value in values:
        matches = glob.iglob(value, recursive=True)  # noqa: PTH207  # the pattern may be absolute
        if value != "-" and not Path(value).exists() and next(matches, None) is None:
            raise click.UsageError(f"there is no file or folder {value!r}", ctx)
    return values


@click.command(cls=options.Verb)
@click.argument("pictures", nargs=-1, required=True, callback=_existing)
@click.option("--labels", metavar="A,B,…", callback=split, help="The labels to choose from.")
@click.option(
    "--labels-file",
    type=click.File(encoding="utf-8-sig"),
    metavar="FILE",
    help="A text file with a label on each line (- for standard input).",
)
@click.option(
    "--head",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Classify by what snaplink probe or snaplink calibrate has kept, instead of by labels.",
)
@options.model
@options.device
@options.precision
@click.option(
    "--template",
    "templates",
    multiple=True,
    metavar="TEXT",
    help="The sentence that a label is put into, at {}; without it: a photo of a {}. Give several, "
    "and they are averaged.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=5,
    metavar="N",
    show_default=True,
    help="How many labels to show, the best first.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "jsonl", "csv"]),
    default="text",
    show_default=True,
    help="csv and jsonl suit thousands of pictures: rows appear as they are found.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--upright", is_flag=True, help="Turn photographs as the camera noted (EXIF).")
def classify(
    pictures: tuple[str, ...],
    labels: list[str],
    labels_file: TextIO | None,
    head: Path | None,
    model: str,
    device: str | None,
    precision: str | None,
    templates: tuple[str, ...],
    top: int,
    form: str,
    as_json: bool,
    upright: bool,
) -> int:
    """Say which of the labels fits each picture best.

    PICTURES are files, folders (with the folders inside them), patterns such as "*.png", or - for
    a list of these on standard input, one a line.

    \b
    snaplink classify photo.jpg --labels cat,dog,"red apple"
    snaplink classify photos/ --labels-file names.txt --top 1 --format csv > found.csv
    snaplink classify photos/ --head pets.safetensors
    """
    from snaplink.images import find

    from .predictions import WRITERS
    from .terminal import counted

    labels += lines(labels_file) if labels_file else []
    if head and (labels or templates):
        raise click.UsageError("a head has its own labels: leave out --labels and --template")
    if not labels and not head:
        raise click.UsageError("give the labels to choose from, such as --labels cat,dog")
    classifier: Classifier
    if head:
        classifier = _with_head(head, device, precision, upright)
    else:
        from snaplink.prompts import DEFAULT_TEMPLATES
        from snaplink.zero_shot import ZeroShotClassifier

        classifier = ZeroShotClassifier(
            model,
            labels,
            templates or DEFAULT_TEMPLATES,
            device=device,
            precision=precision,
            upright=upright,
        )
    skipped = _Skipped()
    found = find(_named(pictures), skipped)
    first = list(islice(found, 4))
    predictions = classifier.stream(chain(first, found), skipped)
    WRITERS["json" if as_json else form](counted(predictions, "pictures"), top)
    if not first and not skipped.count:
        say("there is no picture on standard input")
    if (classifier.encoder.name if head else model) == "tiny" and any(map(_is_photograph, first)):
        say(_TINY_NOTE)
    return DONE if first and not skipped.count else FAILED


def _with_head(
    path: Path, device: str | None, precision: str | None, upright: bool
) -> HeadClassifier:
    """A head's classifier; its model need not be named if it is one that everybody has."""
    from clip.registry import official_name
    from snaplink.encoder import load_encoder
    from snaplink.head import Head, HeadClassifier

    context = click.get_current_context()
    head, model = Head.load(path), context.params["model"]
    made_for = head.fingerprint.model
    typed = context.get_parameter_source("model") is not ParameterSource.DEFAULT
    if not typed and (made_for == "tiny" or official_name(made_for)):
        model = made_for
    return HeadClassifier(head, load_encoder(model, device, precision), upright=upright)


_TINY_NOTE = (
    "tiny, the built-in model, knows drawings and icons but no photographs. "
    "For these choose another, such as --model ViT-B/32 (see snaplink models)."
)


class _Skipped:
    """Reports each picture that cannot be used, and counts them."""

    count = 0

    def __call__(self, error: PictureError) -> None:
        self.count += 1
        say(f"skipped {error}")


def _named(sources: Iterable[str]) -> Iterator[str]:
    """The sources, with those on standard input in the place of -."""
    for source in sources:
        if source == "-":
            yield from (line.rstrip("\r\n") for line in sys.stdin if line.strip())
        else:
            yield source


def _is_photograph(path: Path) -> bool:
    from snaplink.images import decode, looks_like_photograph

    try:
        return looks_like_photograph(decode(path))
    except PictureError:
        return False
