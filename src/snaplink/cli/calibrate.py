"""`snaplink calibrate`: honest probabilities, and "none of these" where nothing fits."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from . import labelled_data, learning, options, prompting
from .exits import DONE, FAILED, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from snaplink.calibration import Calibrated

_FEW = 10
"""Below so many pictures of a class its threshold is little more than a guess."""


def _target(ctx: click.Context, parameter: click.Parameter, value: str) -> float | Literal["f1"]:
    if value == "f1":
        return "f1"
    try:
        share = float(value)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise click.UsageError(f"{value!r} is neither f1 nor a share such as 0.95", ctx)
    return share


@click.command(cls=labelled_data.Verb)
@click.argument("data")
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="Where to keep the calibrated head, for snaplink classify --head.",
)
@click.option(
    "--head",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="The head to calibrate. Without it: the classes of DATA in words, zero-shot.",
)
@click.option(
    "--target",
    default="f1",
    metavar="f1|SHARE",
    show_default=True,
    callback=_target,
    help="What each class's threshold is for. f1: the best balance of wrong and missed answers. A "
    "share such as 0.95: of the answers given, so many are right.",
)
@click.option(
    "--none",
    multiple=True,
    metavar="CLASS",
    help="A class of DATA whose pictures show none of the others; repeatable.",
)
@options.model
@options.device
@options.precision
@prompting.options
@learning.batch_size
@learning.upright
@labelled_data.classes
@labelled_data.of_one_label
@learning.output
@options.as_json
def calibrate(
    data: str,
    save: Path,
    head: Path | None,
    target: float | Literal["f1"],
    none: tuple[str, ...],
    model: str,
    device: str | None,
    precision: str | None,
    templates: str | None,
    sentences: tuple[str, ...],
    batch_size: int,
    upright: bool,
    classes: str | None,
    output: Path | None,
    as_json: bool,
    **where: Any,
) -> int:
    """Fit a temperature and thresholds on labelled pictures.

    The temperature makes probabilities honest; a picture whose best class stays below that class's
    threshold is "none of these". DATA, as for snaplink eval, must hold pictures that the head has
    not learnt from, and better still some of none of the classes (--none).

    \b
    snaplink calibrate sample/ --none other --target 0.95 --save cats.safetensors
    snaplink classify photos/ --head cats.safetensors
    """
    from snaplink import examples
    from snaplink.calibration import calibrate as calibrated
    from snaplink.encoder import load_encoder
    from snaplink.head import Head

    learning.demand_folder(save, output)
    if head and (templates or sentences):
        raise click.UsageError("a head needs no prompts: leave out --templates and --template")
    given = Head.load(head) if head else None
    labelled = learning.opened(data, "val", classes, where)
    encoder = load_encoder(model, device, precision, batch_size)
    if given:
        given.check(encoder)
    else:
        told, origin = prompting.told(labelled, classes, templates, sentences)
        given = examples.zero_shot_head(
            labelled, encoder, templates=told, origin=origin, none=none, upright=upright
        )
    read = learning.Reader(encoder, given.features, upright)
    found = read(labelled)
    labels = examples.labels_among(found, given.class_names, "DATA", none=none)
    result = calibrated(given, found.matrix, labels, target)
    result.head.save(save)
    counts = [int((labels == index).sum()) for index in range(len(given.class_names))]
    learning.write_json(_json(result, counts, target), output, as_json=as_json)
    if not as_json:
        _show(result, counts)
    _warn(result, counts, none)
    say(f"wrote {save}: use it with snaplink classify --head {save} --model {model}")
    return FAILED if read.skipped.count else DONE


def _json(result: Calibrated, counts: Sequence[int], target: float | str) -> dict[str, Any]:
    head = result.head
    limits = _limits(result)
    return {
        "task": "calibration",
        "kind": head.kind,
        "target": target,
        "temperature": head.temperature,
        "thresholds": [
            {"class": name, "threshold": limit, "pictures": count}
            for name, limit, count in zip(head.class_names, limits, counts, strict=True)
        ],
        "before": _shares(asdict(result.before)),
        "after, cross-checked": _shares(asdict(result.after)),
        "about": {
            "command": labelled_data.command_line(),
            "fingerprint": head.fingerprint.to_json(),
            "recipe": head.recipe,
        },
    }


def _shares(quality: dict[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in quality.items()}


def _limits(result: Calibrated) -> list[float | None]:
    """Thresholds; None for a class that is never given."""
    assert result.head.thresholds is not None
    return [limit if limit <= 1 else None for limit in result.head.thresholds.tolist()]


_FIGURES = {
    "nll": "negative log-likelihood",
    "ece": "calibration error (ECE)",
    "answered": "pictures that get a class",
    "precision": "of these, right",
    "recall": "of pictures of a class, right",
    "rejected": "of pictures of none, refused",
}


def _show(result: Calibrated, counts: Sequence[int]) -> None:
    from .tables import show

    def shown(name: str, value: float) -> str:
        if math.isnan(value):
            return "-"
        return f"{value:.3f}" if name == "nll" else f"{value:.1%}"

    before, after = asdict(result.before), asdict(result.after)
    rows = [{"": title, "name": name} for name, title in _FIGURES.items()]
    columns = {
        "": lambda row: str(row[""]),
        " before": lambda row: shown(row["name"], before[row["name"]]),
        " after": lambda row: shown(row["name"], after[row["name"]]),
    }
    show(rows, columns, as_json=False)
    print(f"\ntemperature {result.head.temperature:.3g}\n")
    limits = _limits(result)
    classes = [
        {"class": name, "limit": "never given" if limit is None else f"{limit:.1%}", "count": count}
        for name, limit, count in zip(result.head.class_names, limits, counts, strict=True)
    ]
    show(
        classes,
        {
            "class": lambda row: row["class"],
            " threshold": lambda row: row["limit"],
            " pictures": lambda row: f"{row['count']:,}",
        },
        as_json=False,
    )


def _warn(result: Calibrated, counts: Sequence[int], none: Sequence[str]) -> None:
    say("after: each fifth of the pictures judged by what the others gave")
    few = sum(count < _FEW for count in counts)
    if few:
        say(
            f"{few} of {len(counts)} classes have fewer than {_FEW} pictures here: their "
            "thresholds are hardly more than guesses"
        )
    never = sum(limit is None for limit in _limits(result))
    if never:
        say(f"{never} of {len(counts)} classes reach no such share, and will never be given")
    if not none:
        say(
            "no picture was of none of the classes: thresholds know the model's mistakes, but not "
            "what else may come (give such pictures in a class of their own, with --none)"
        )
