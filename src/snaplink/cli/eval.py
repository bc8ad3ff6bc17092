"""`snaplink eval`: how well a model answers on labelled pictures, without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import labelled_data, options, prompting
from .exits import DONE, FAILED

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command(cls=labelled_data.Verb)
@click.argument("data")
@options.model
@options.device
@options.precision
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=32,
    metavar="N",
    show_default=True,
    help="Pictures that the model sees at once.",
)
@click.option("--upright", is_flag=True, help="Turn photographs as the camera noted (EXIF).")
@labelled_data.classes
@prompting.options
@labelled_data.options
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="Keep the result, in CLIP_benchmark's fields, for it and for `snaplink compare`.",
)
@labelled_data.report
@labelled_data.plots
@click.option("--json", "form", flag_value="json", help="Print CLIP_benchmark's fields as JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print a row as `clip_benchmark build` does.")
@click.option(
    "--resamples",
    type=click.IntRange(min=100),
    default=1000,
    metavar="N",
    show_default=True,
    help="Draws of the bootstrap, for the intervals.",
)
def eval(  # named after the verb
    data: str,
    model: str,
    device: str | None,
    precision: str | None,
    batch_size: int,
    upright: bool,
    classes: str | None,
    templates: str | None,
    sentences: tuple[str, ...],
    output: Path | None,
    report: Path | None,
    plots: Path | None,
    form: str | None,
    resamples: int,
    **where: Any,
) -> int:
    """Measure zero-shot answers on labelled pictures.

    By the protocol of the CLIP paper, with intervals.

    DATA is a folder of class folders, webdataset shards as CLIP_benchmark uses, a table (.csv,
    .tsv, .parquet) with a column of labels or captions, a store of `snaplink embed`, or
    torchvision:NAME or datasets:NAME where these are installed.

    \b
    snaplink eval pets/test --model ViT-B/32 --templates pets --report pets.html
    snaplink eval imagenet/val --model ViT-B/32 --classes imagenet1k --output b32.json
    """
    from snaplink import evaluation
    from snaplink.encoder import load_encoder

    from . import figures
    from .terminal import counted

    for path in filter(None, (output, report)):
        _demand_folder(path)
    if report or plots:
        from snaplink import report as reports

        reports.demand_matplotlib()
    data_set = labelled_data.open_labelled(data, classes, **where)
    told, origin = prompting.told(data_set, classes, templates, sentences)
    encoder = load_encoder(model, device, precision, batch_size)
    skipped = labelled_data.Skipped()

    def watch(found: Iterator[int]) -> Iterator[int]:
        return counted(found, "pictures")

    result = evaluation.evaluate(
        data_set,
        encoder,
        templates=told,
        origin=origin,
        upright=upright,
        on_bad=skipped,
        resamples=resamples,
        watch=watch,
        command=labelled_data.command_line(),
    )
    if output:
        result.write(output)
    if report:
        reports.write_evaluation(report, result, data_set)
    if plots:
        reports.write_plots(plots, result)
    figures.show(result, form)
    return FAILED if skipped.count else DONE


def _demand_folder(path: Path) -> None:
    """Find out before the work is done that its result can be written."""
    if not path.parent.is_dir():
        raise click.UsageError(f"there is no folder {str(path.parent)!r} to write {path.name} to")
