"""What was found in pictures, printed while it is found: one writer a form."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from snaplink.zero_shot import Prediction, Score

from .terminal import bar, console, printable

__all__ = ["WRITERS"]

_WIDEST_LABEL = 32
_WIDEST_BAR = 40


def _write_text(predictions: Iterable[Prediction], top: int) -> None:
    """A block a picture: every label with its probability and a bar; a line each for one label."""
    page = console()
    first = True
    for prediction in predictions:
        width = _label_width(prediction.scores)
        scores = prediction.scores[:top]
        lines = [_line(score, width, page.width, rank == 0) for rank, score in enumerate(scores)]
        name = Text(printable(prediction.picture or ""), style="bold")
        if top == 1:
            page.print(
                lines[0].append("  ").append(name), no_wrap=True, overflow="ignore", crop=False
            )
            continue
        if not first:
            page.print()
        first = False
        page.print(name, no_wrap=True, overflow="ignore", crop=False)
        for line in lines:
            page.print(line, no_wrap=True, overflow="ignore", crop=False)


def _label_width(scores: Sequence[Score]) -> int:
    """Room for the longest of all labels, so that the blocks of many pictures line up."""
    return min(_WIDEST_LABEL, max(cell_len(printable(score.label)) for score in scores))


def _line(score: Score, label_width: int, page_width: int, best: bool) -> Text:
    label = printable(score.label)
    if cell_len(label) > label_width:
        label = set_cell_size(label, label_width - 1) + "…"
    bar_width = max(8, min(_WIDEST_BAR, page_width - label_width - 14))
    return Text.assemble(
        "  ",
        (set_cell_size(label, label_width), "bold green" if best else ""),
        f"  {score.score:6.1%}  ",
        (bar(score.score, bar_width).rstrip(), "green" if best else "cyan"),
    )


def _row(prediction: Prediction, top: int) -> dict[str, object]:
    scores = [{"label": each.label, "score": round(each.score, 6)} for each in prediction.scores]
    return {"picture": prediction.picture, "scores": scores[:top]}


def _write_json(predictions: Iterable[Prediction], top: int) -> None:
    """One array, a line a picture."""
    separator = "[\n"
    for prediction in predictions:
        sys.stdout.write(separator + json.dumps(_row(prediction, top), ensure_ascii=False))
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


def _write_jsonl(predictions: Iterable[Prediction], top: int) -> None:
    for prediction in predictions:
        sys.stdout.write(json.dumps(_row(prediction, top), ensure_ascii=False) + "\n")


def _write_csv(predictions: Iterable[Prediction], top: int) -> None:
    """A row a label, so `top` rows a picture, the best first."""
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(("picture", "label", "score"))
    for prediction in predictions:
        for each in prediction.scores[:top]:
            table.writerow((prediction.picture, each.label, f"{each.score:.6f}"))


WRITERS: dict[str, Callable[[Iterable[Prediction], int], None]] = {
    "text": _write_text,
    "json": _write_json,
    "jsonl": _write_jsonl,
    "csv": _write_csv,
}
