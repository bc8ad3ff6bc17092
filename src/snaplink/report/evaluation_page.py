"""The report of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from PIL import Image

from snaplink.errors import PictureError
from snaplink.evaluation import Result
from snaplink.evaluation.metrics import confusion
from snaplink.evaluation.statistics import calibration_of
from snaplink.labelled import Labelled

from . import page
from .per_class import ClassFigures, class_figures
from .plots import Plot, bars_plot, calibration_plot, confusion_plot
from .protocol import how, protocol, repeat
from .wording import between, named, percent

__all__ = ["plots", "write_evaluation", "write_plots"]

_MISTAKES = 24
_BARS = 40  # classes of which all bars are drawn
_CELLS = 30  # classes of a matrix that can be read

Find = Callable[[str], Image.Image | None]


def write_evaluation(path: Path, result: Result, labelled: Labelled | None = None) -> None:
    """Write the report of an evaluation.

    Args:
        path: of the page.
        result: what was found.
        labelled: the data, to show pictures; without them, their names are shown.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    page.write(
        path,
        title=f"{result.model} on {result.dataset}",
        subtitle=_subtitle(result),
        figures=[
            (named(name), percent(value), between(result.intervals.get(name)))
            for name, value in result.metrics.items()
        ],
        sections=list(_sections(result, _finder(labelled))),
    )


def write_plots(folder: Path, result: Result) -> list[Path]:
    """Write every plot of a result as PNG and SVG."""
    return [path for plot in plots(result) for path in plot.write(folder)]


def plots(result: Result) -> list[Plot]:
    """The plots that a result has: bars, confusion matrix, calibration."""
    if result.task == "retrieval":
        return [_recall_bars(result)]
    found = class_figures(result)
    if result.task == "multilabel":
        return [_bars(result, found)]
    return [_bars(result, found), _confusion(result, found), _calibration(result)]


def _subtitle(result: Result) -> str:
    what = {
        "classification": f"{len(result.class_names):,} classes, {how(result)}",
        "multilabel": f"{len(result.class_names):,} classes, several a picture, {how(result)}",
        "retrieval": f"{result.about.get('captions', 0):,} captions, both ways",
    }[result.task]
    skipped = result.about.get("skipped", 0)
    missing = f", {skipped:,} could not be used" if skipped else ""
    return f"{result.pictures:,} pictures{missing} · {what} · intervals of 95 %"


def _sections(result: Result, find: Find) -> Iterator[page.Section]:
    if result.task == "retrieval":
        yield page.Section("Recall", _RECALL_NOTE, page.figure(_recall_bars(result)))
    else:
        found = class_figures(result)
        yield _class_section(result, found)
        if result.task == "classification":
            yield _mistakes(result, find)
            yield _confusion_section(result, found)
            yield page.Section("Calibration", _SURE, page.figure(_calibration(result)))
    yield page.Section("Protocol", "", protocol(result))
    yield from repeat(result.about)


_RECALL_NOTE = (
    "The share of captions with their picture, and of pictures with one of their captions, among "
    "the first answers."
)
_SURE = (
    "Each dot is a group of pictures whose answers were about equally sure, larger for more "
    "pictures. On the dashed line, answers come true as often as their probability says; below "
    "it, the model is too sure of itself."
)


def _class_section(result: Result, found: list[ClassFigures]) -> page.Section:
    what = "average precision" if result.task == "multilabel" else "pictures named rightly"
    note = f"Per class, the share of {what}." if result.task != "multilabel" else f"The {what}."
    if len(found) > _BARS:
        note += (
            f" Drawn, of {len(found):,}, are the {_BARS // 2} that are most surely low and the "
            f"{_BARS // 2} most surely high."
        )
    rows = [(c.name, c.value, (f"{c.pictures:,}", between(c.interval), c.taken_for)) for c in found]
    table = page.bar_table(
        ("class", what, "pictures", "95 % interval", "most often taken for"),
        rows,
        f"All {len(found):,} classes with pictures",
    )
    return page.Section("Classes", note, page.figure(_bars(result, found)) + table)


def _bars(result: Result, found: list[ClassFigures]) -> Plot:
    shown = found if len(found) <= _BARS else _extremes(found)
    intervals = [c.interval for c in shown if c.interval]
    mean = "mean_average_precision" if result.task == "multilabel" else "mean_per_class_recall"
    return bars_plot(
        [c.name for c in shown],
        [c.value for c in shown],
        intervals if len(intervals) == len(shown) else None,
        name="classes",
        title=f"{result.model} on {result.dataset}, class by class",
        mean=result.metrics[mean],
    )


def _extremes(found: list[ClassFigures]) -> list[ClassFigures]:
    """Those that are most surely low, and most surely high: one picture of one says little."""
    low = sorted(found, key=lambda each: (each.interval or (each.value,) * 2)[1])[: _BARS // 2]
    rest = [each for each in found if each not in low]
    high = sorted(rest, key=lambda each: (each.interval or (each.value,) * 2)[0])[-_BARS // 2 :]
    return low + high


def _recall_bars(result: Result) -> Plot:
    names = list(result.metrics)
    return bars_plot(
        [named(each) for each in names],
        [result.metrics[each] for each in names],
        [result.intervals[each] for each in names],
        name="recall",
        title=f"{result.model} on {result.dataset}, recall both ways",
    )


def _confusion_section(result: Result, found: list[ClassFigures]) -> page.Section:
    note = "Each row is a class, each column an answer; the darker, the larger the row's share."
    if len(result.class_names) > _CELLS:
        note += " Only the classes that were confused with each other most are shown."
    return page.Section("Confusion", note, page.figure(_confusion(result, found)))


def _confusion(result: Result, found: list[ClassFigures]) -> Plot:
    labels = torch.tensor(result.outcomes["labels"])
    given = torch.tensor(result.outcomes["predictions"])
    matrix = confusion(labels, given, len(result.class_names))
    kept = list(range(len(matrix)))
    if len(kept) > _CELLS:
        wrong = matrix.clone().fill_diagonal_(0)
        both = wrong + wrong.T
        chosen: set[int] = set()
        for pair in both.triu().flatten().argsort(descending=True, stable=True).tolist():
            chosen |= {pair // len(both), pair % len(both)}
            if len(chosen) >= _CELLS:
                break
        kept = sorted(chosen)[:_CELLS]
    return confusion_plot(
        matrix[kept][:, kept].numpy(),
        [result.class_names[i] for i in kept],
        name="confusion",
        title=f"{result.model} on {result.dataset}, what was taken for what",
    )


def _calibration(result: Result) -> Plot:
    title = f"{result.model} on {result.dataset}, how sure and how right"
    return calibration_plot(calibration_of(result.outcomes), name="calibration", title=title)


def _mistakes(result: Result, find: Find) -> page.Section:
    o = result.outcomes
    wrong = [i for i, rank in enumerate(o["ranks"]) if rank]
    wrong.sort(key=lambda i: -o["confidences"][i])
    cards = [
        page.Card(
            find(o["keys"][i]),
            o["keys"][i],
            [
                ("said", f"{result.class_names[o['predictions'][i]]}, "
                         f"{percent(o['confidences'][i])}"),
                ("is", result.class_names[o["labels"][i]]),
            ],
        )
        for i in wrong[:_MISTAKES]
    ]  # fmt: skip
    note = f"{len(wrong):,} of {result.pictures:,} answers are wrong; the surest of them first."
    return page.Section("Most confident mistakes", note, page.gallery(cards))


def _finder(labelled: Labelled | None) -> Find:
    by_key = {sample.key: sample for sample in labelled.samples} if labelled else {}

    def find(key: str) -> Image.Image | None:
        try:
            return by_key[key].picture() if key in by_key else None
        except PictureError:
            return None

    return find
