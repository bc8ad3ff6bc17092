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
    """A block a picture: a line for each of its best labels. A line a picture for one label."""
    page = console()
    for number, prediction in enumerate(predictions):
        name = Text(printable(prediction.picture or ""), style="bold")
        lines = _lines(prediction.scores, top, page.width // 2 if top == 1 else page.width)
        if top == 1:
            page.print(lines[0] + Text("  ") + name, soft_wrap=True)
            continue
        if number:
            page.print()
        for line in (name, *lines):
            line.rstrip()
            page.print(line, soft_wrap=True)


def _lines(scores: Sequence[Score], top: int, page_width: int) -> list[Text]:
    """Labels, probabilities and bars, in columns as wide as the longest of all labels needs."""
    widest = max(cell_len(printable(score.label)) for score in scores)
    label_width = min(_WIDEST_LABEL, widest)
    bar_width = max(8, min(_WIDEST_BAR, page_width - label_width - 14))
    return [
        Text.assemble(
            "  ",
            (_fitted(printable(score.label), label_width), "" if rank else "bold green"),
            f"  {score.score:6.1%}  ",
            (bar(score.score, bar_width), "cyan" if rank else "green"),
        )
        for rank, score in enumerate(scores[:top])
    ]


def _fitted(text: str, width: int) -> str:
    """The text in exactly this many cells."""
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1) + "…"
    return set_cell_size(text, width)


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
