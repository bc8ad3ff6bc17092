"""`snaplink fewshot`: what a few labelled pictures a class are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import labelled_data, learning, options, prompting
from .exits import DONE, FAILED, say

if TYPE_CHECKING:
    from snaplink.evaluation.protocol import Prompts
    from snaplink.fewshot import Point
    from snaplink.fingerprint import Fingerprint

_METHODS = ("linear-probe", "nearest-mean", "tip-adapter", "wise-ft")


def _numbers(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    """Numbers between commas."""
    try:
        found = tuple(sorted({int(each) for each in value.split(",")}))
    except ValueError:
        found = ()
    if not found or found[0] < 1:
        raise click.UsageError(f"{value!r} is no list of numbers from 1 on, such as 1,2,4", ctx)
    return found


@click.command(cls=labelled_data.Verb)
@click.argument("train")
@click.argument("test")
@options.model
@options.device
@options.precision
@click.option(
    "--shots",
    default="1,2,4,8,16",
    metavar="K,K,…",
    show_default=True,
    callback=_numbers,
    help="Pictures a class to learn from.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=5,
    metavar="N",
    show_default=True,
    help="Draws of each, of which the mean is shown.",
)
@click.option(
    "--method",
    "methods",
    type=click.Choice(_METHODS),
    multiple=True,
    help="One way to learn; repeatable. Without it: all four.",
)
@prompting.options
@learning.batch_size
@learning.upright
@labelled_data.classes
@labelled_data.of_one_label
@click.option(
    "--plots", type=click.Path(path_type=Path), metavar="DIR", help="Draw the curves, PNG and SVG."
)
@labelled_data.report
@learning.output
@options.as_json
def fewshot(
    train: str,
    test: str,
    model: str,
    device: str | None,
    precision: str | None,
    shots: tuple[int, ...],
    seeds: int,
    methods: tuple[str, ...],
    templates: str | None,
    sentences: tuple[str, ...],
    batch_size: int,
    upright: bool,
    classes: str | None,
    plots: Path | None,
    report: Path | None,
    output: Path | None,
    as_json: bool,
    **where: Any,
) -> int:
    """Learn from few pictures a class, and show how few do.

    linear-probe and nearest-mean learn from the pictures alone; tip-adapter (without training) and
    wise-ft start from the class names in words. Pictures are drawn from TRAIN, some more choose
    the probes' penalty, and TEST measures. Both are as for snaplink probe.

    \b
    snaplink fewshot pets/train pets/test --model ViT-B/32 --report pets.html
    """
    from snaplink import examples
    from snaplink.encoder import load_encoder
    from snaplink.evaluation.protocol import prompts
    from snaplink.fewshot import Examples, curves

    learning.demand_folder(output, report)
    if report or plots:
        from snaplink import report as reports

        reports.demand_matplotlib()
    taught = learning.opened(train, "train", classes, where)
    asked = learning.opened(test, "test", classes, where)
    told = prompts(taught, *prompting.told(taught, classes, templates, sentences))
    encoder = load_encoder(model, device, precision, batch_size)
    read = learning.Reader(encoder, "embedding", upright)
    pool, measured = read(taught), read(asked)
    truth = examples.labels_among(measured, taught.class_names, "TEST")
    points = list(
        curves(
            Examples(pool.matrix, pool.labels),
            Examples(measured.matrix, truth),
            examples.in_words(told, encoder),
            shots=shots,
            seeds=seeds,
            methods=methods or _METHODS,
            class_names=taught.class_names,
        )
    )
    about = _protocol(taught.class_names, seeds, len(truth), told, pool.fingerprint)
    result = {
        "dataset": asked.name,
        "task": "few-shot",
        "points": [asdict(point) for point in points],
        "about": about,
    }
    learning.write_json(result, output, as_json=as_json)
    if not as_json:
        _show(points)
    if report:
        reports.write_fewshot(report, points, asked.name, about)
        say(f"wrote {report}")
    if plots:
        for path in reports.fewshot_plot(points, asked.name).write(plots):
            say(f"wrote {path}")
    return FAILED if read.skipped.count else DONE


def _protocol(
    class_names: Sequence[str], seeds: int, pictures: int, told: Prompts, made_by: Fingerprint
) -> dict[str, Any]:
    """What somebody needs who wants to repeat it."""
    from snaplink.evaluation.evaluate import versions

    return {
        "command": labelled_data.command_line(),
        "class_names": class_names,
        "seeds": seeds,
        "test_pictures": pictures,
        "prompts": told.count,
        "prompts_sha256": told.sha256,
        "prompts_origin": told.origin,
        "fingerprint": made_by.to_json(),
        "versions": versions(),
    }


def _show(points: Sequence[Point]) -> None:
    from .tables import show

    methods = list(dict.fromkeys(point.method for point in points[1:]))
    rows: list[dict[str, Any]] = [{"shots": 0, "zero-shot": points[0]}]
    for shots in dict.fromkeys(point.shots for point in points[1:]):
        rows.append({"shots": shots, **{p.method: p for p in points if p.shots == shots}})
    columns = {" shots": lambda row: str(row["shots"])}
    columns |= {f" {method}": _column(method) for method in ("zero-shot", *methods)}
    show(rows, columns, as_json=False)
    say("in brackets the 95 % interval, over draws and test pictures")


def _column(method: str) -> Callable[[Mapping[str, Any]], str]:
    def cell(row: Mapping[str, Any]) -> str:
        point = row.get(method)
        return f"{point.accuracy:.1%} ({point.low:.1%} to {point.high:.1%})" if point else ""

    return cell
