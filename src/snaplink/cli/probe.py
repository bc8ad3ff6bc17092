"""`snaplink probe`: learn classes from labelled pictures by the paper's linear probe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from . import labelled_data, learning, options
from .exits import DONE, FAILED, say
from .terminal import how_many

if TYPE_CHECKING:
    from snaplink.evaluation import Result
    from snaplink.labelled import Labelled
    from snaplink.linear_probe import Outcome
    from snaplink.probe import Sweep


@click.command(cls=labelled_data.Verb)
@click.argument("train")
@click.argument("test")
@options.model
@options.device
@options.precision
@click.option(
    "--features",
    "kind",
    type=click.Choice(["embedding", "pre-projection"]),
    default="embedding",
    show_default=True,
    help="embedding: what encode_image gives, as in openai/CLIP's README. pre-projection: a vision "
    "transformer's features before the projection, which the paper probes.",
)
@click.option(
    "--sweep",
    type=click.Choice(["paper", "readme", "clip-benchmark"]),
    default="paper",
    show_default=True,
    help="paper: lambda from 1e-6 to 1e6, coarse to fine. readme: C = 0.316, no search. "
    "clip-benchmark: its 97 values of weight decay from 1e-6 to 1e2.",
)
@click.option(
    "--validation",
    metavar="DATA",
    help="Labelled pictures to choose lambda by. Without it: a share of TRAIN.",
)
@click.option(
    "--validation-share",
    "share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.2,
    metavar="SHARE",
    show_default=True,
    help="What is set aside of each class of TRAIN, and learnt from at last, too.",
)
@learning.seed
@learning.batch_size
@learning.upright
@labelled_data.classes
@labelled_data.of_one_label
@click.option(
    "--head",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep what was learnt, for snaplink classify --head.",
)
@learning.output
@labelled_data.report
@labelled_data.plots
@options.as_json
def probe(
    train: str,
    test: str,
    model: str,
    device: str | None,
    precision: str | None,
    kind: str,
    sweep: str,
    validation: str | None,
    share: float,
    seed: int,
    batch_size: int,
    upright: bool,
    head: Path | None,
    output: Path | None,
    report: Path | None,
    plots: Path | None,
    as_json: bool,
    classes: str | None,
    **where: Any,
) -> int:
    """Learn classes from labelled pictures: a linear probe.

    Logistic regression on the model's features, its penalty lambda chosen on a validation split,
    as in appendix A.3 of the CLIP paper. lambda is 1 / C of scikit-learn.

    TRAIN and TEST are folders of class folders, webdataset shards, tables with a column of labels,
    stores of `snaplink embed`, or torchvision:NAME or datasets:NAME where these are installed.

    \b
    snaplink probe pets/train pets/test --model ViT-B/32 --head pets.safetensors --report pets.html
    snaplink classify photos/ --model ViT-B/32 --head pets.safetensors
    """
    from snaplink.encoder import load_encoder
    from snaplink.evaluation.results import beside
    from snaplink.linear_probe import linear_probe

    learning.demand_folder(head, output, report)
    if output:
        beside(output)  # refuses a name that its details cannot be found by
    if report or plots:
        from snaplink.report import demand_matplotlib

        demand_matplotlib()
    taught = learning.opened(train, "train", classes, where)
    asked = learning.opened(test, "test", classes, where)
    other = learning.opened(validation, "val", classes, where) if validation else None
    encoder = load_encoder(model, device, precision, batch_size)
    read = learning.Reader(encoder, kind, upright)
    outcome = linear_probe(
        read(taught),
        read(asked),
        encoder,
        kind=read.kind,
        validation=read(other) if other else None,
        share=share,
        sweep=cast("Sweep", sweep),
        seed=seed,
    )
    if head:
        outcome.head.save(head)
    command = labelled_data.command_line()
    _draw(outcome.result(asked, command), asked, output, report, plots)
    learning.write_json(outcome.to_json(asked.name, command), output, as_json=as_json)
    if not as_json:
        _show(outcome)
    if head:
        say(f"wrote {head}: use it with snaplink classify --head {head} --model {model}")
    if not outcome.converged:
        say("the fit did not converge in 1,000 iterations: the figures are of where it stopped")
    return FAILED if read.skipped.count else DONE


def _draw(
    result: Result, asked: Labelled, output: Path | None, report: Path | None, plots: Path | None
) -> None:
    """Write what shows each picture: the details beside the output, the page, the plots."""
    if output:
        result.write_details(output)
    if report or plots:
        from snaplink import report as reports

        if report:
            reports.write_evaluation(report, result, asked)
            say(f"wrote {report}")
        for path in reports.write_plots(plots, result) if plots else ():
            say(f"wrote {path}")


def _show(outcome: Outcome) -> None:
    figures, head = outcome.metrics, outcome.head
    low, high = outcome.intervals["acc1"]
    learnt, measured = outcome.pictures
    rows = {
        "top-1 accuracy": f"{figures['lp_acc1']:.1%}  (95 % interval {low:.1%} to {high:.1%})",
        "top-5 accuracy": "" if figures["lp_acc5"] is None else f"{figures['lp_acc5']:.1%}",
        "mean per class": f"{figures['lp_mean_per_class_recall']:.1%}",
        "features": outcome.features,
        "lambda": f"{head.recipe['lambda']:.3g}  (scikit-learn's C = {head.recipe['C']:.3g}, "
        f"sweep: {head.recipe['sweep']})",
        "pictures": f"{learnt:,} to learn from, {measured:,} to measure on, "
        f"{how_many(len(head.class_names), 'class')}",
    }
    learning.show({name: value for name, value in rows.items() if value})
