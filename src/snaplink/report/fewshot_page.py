"""The report of few-shot learning: its curves, its points, and how they were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snaplink.fewshot import Point

from . import page
from .plots import Curve, Plot, curve_plot
from .protocol import model_of, prompts_of, repeat, versions_of, whole_print
from .wording import between, percent

__all__ = ["fewshot_plot", "write_fewshot"]

_WAYS = {
    "linear-probe": "logistic regression on the pictures alone; the validation pictures choose "
    "lambda",
    "nearest-mean": "the class whose mean of unit vectors is nearest",
    "tip-adapter": "the words, and nearness to each picture; alpha = 1, beta = 5.5, no training",
    "wise-ft": "a probe that starts from the words, averaged with them half and half",
}


def write_fewshot(
    path: Path, points: Sequence[Point], dataset: str, about: Mapping[str, Any]
) -> None:
    """Write the report of `snaplink.fewshot.curves`.

    Args:
        path: of the page.
        points: what was found, zero-shot first.
        dataset: what the test data are called.
        about: how it was measured, as the verb's result has it.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    shots = sorted({point.shots for point in points[1:]})
    most = [point for point in points if point.shots == shots[-1]]
    most.sort(key=lambda point: -point.accuracy)
    what = f"{about['test_pictures']:,} test pictures · {len(about['class_names']):,} classes"
    page.write(
        path,
        title=f"{about['fingerprint']['model']} on {dataset}, from few pictures",
        subtitle=f"{what} · up to {shots[-1]} pictures a class to learn from, drawn "
        f"{_times(about['seeds'])} · intervals of 95 %",
        figures=[
            (_named(each), percent(each.accuracy), between((each.low, each.high)))
            for each in (*most, points[0])
        ],
        sections=[
            page.Section("Curves", _CURVES, page.figure(fewshot_plot(points, dataset))),
            page.Section("Points", _POINTS, _table(points)),
            page.Section("Protocol", "", _protocol(points, about)),
            *repeat(about),
        ],
    )


_CURVES = (
    "Top-1 accuracy by pictures a class to learn from. The shaded bands are 95 % intervals, over "
    "draws and test pictures at once."
)
_POINTS = "The mean over the draws, its 95 % interval, and what single draws gave."


def _times(seeds: int) -> str:
    return "once" if seeds == 1 else f"{seeds:,} times"


def _named(point: Point) -> str:
    return f"{point.method}, {point.shots} a class" if point.shots else point.method


def _table(points: Sequence[Point]) -> str:
    rows = [
        (_named(each), each.accuracy, (between((each.low, each.high)), _single(each)))
        for each in points
    ]
    headings = ("learnt by, pictures", "top-1 accuracy", "95 % interval", "single draws")
    return page.bar_table(headings, rows, f"All {len(rows):,} points", opened=True)


def _single(point: Point) -> str:
    return ", ".join(map(percent, point.accuracies)) if len(point.accuracies) > 1 else ""


def _protocol(points: Sequence[Point], about: Mapping[str, Any]) -> str:
    methods = dict.fromkeys(point.method for point in points[1:])
    pairs = model_of(about["fingerprint"]) | {"features": "embedding"} | prompts_of(about)
    pairs |= {method: _WAYS[method] for method in methods}
    pairs["draws"] = (
        f"{about['seeds']:,} of each number of shots, seeds from 0 on; more shots of a seed hold "
        "its fewer. Beside k shots a class, min(k, 4) more choose a probe's lambda"
    )
    pairs["intervals"] = "95 %, percentile bootstrap over draws and test pictures at once"
    pairs["versions"] = versions_of(about)
    names = page.pre("\n".join(about["class_names"]), f"{len(about['class_names']):,} class names")
    return page.definitions(pairs) + names + whole_print(about["fingerprint"])


def fewshot_plot(points: Sequence[Point], dataset: str) -> Plot:
    """A curve a method, and a level line for zero-shot.

    Args:
        points: of `snaplink.fewshot.curves`, zero-shot first.
        dataset: what the test data are called.
    """
    baseline, learnt = points[0], points[1:]
    shots = sorted({point.shots for point in learnt})
    level = Curve("zero-shot", shots, [baseline.accuracy] * len(shots))
    curves = [level] if len(shots) > 1 else []
    for method in dict.fromkeys(point.method for point in learnt):
        own = [point for point in learnt if point.method == method]
        curves.append(
            Curve(
                method,
                [point.shots for point in own],
                [point.accuracy for point in own],
                [point.low for point in own],
                [point.high for point in own],
            )
        )
    return curve_plot(
        curves,
        name="fewshot",
        title=f"Accuracy on {dataset} by pictures a class to learn from",
        x_label="pictures a class to learn from",
        y_label="top-1 accuracy",
        log2=True,
    )
