"""`snaplink compare`: two results over the same pictures."""

from __future__ import annotations

from pathlib import Path

import click

from . import options


@click.command(cls=options.Verb)
@click.argument("first", metavar="A.json", type=click.Path(path_type=Path))
@click.argument("second", metavar="B.json", type=click.Path(path_type=Path))
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="Write one page that shows it all.",
)
@options.as_json
@click.option(
    "--resamples",
    type=click.IntRange(min=100),
    default=1000,
    metavar="N",
    show_default=True,
    help="Draws of the bootstrap.",
)
def compare(first: Path, second: Path, report: Path | None, as_json: bool, resamples: int) -> None:
    """Say whether B is better than A by more than chance.

    A.json and B.json are results of the same data, kept by --output of `snaplink eval` or `snaplink
    probe`. Both are compared on the same draws of pictures: the paired bootstrap.

    \b
    snaplink compare tiny.json b32.json --report comparison.html
    """
    from snaplink import evaluation

    from . import figures

    if report:
        from snaplink import report as reports

        reports.demand_matplotlib()
    found = evaluation.compare(evaluation.read(first), evaluation.read(second), resamples=resamples)
    if report:
        reports.write_comparison(report, found)
    figures.show_comparison(found, "json" if as_json else None)
