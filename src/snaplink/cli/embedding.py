"""How a run of `snaplink embed` looks: a bar while it goes on, and what came of it."""

from __future__ import annotations

import json
import sys
from types import TracebackType
from typing import TYPE_CHECKING

from .exits import say
from .terminal import console

if TYPE_CHECKING:
    from snaplink.embed import Summary

__all__ = ["Watch", "show"]


class Watch:
    """A bar with rate and time left, where someone watches."""

    def __enter__(self) -> Watch:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console(stderr=True),
            transient=True,
            redirect_stdout=False,
            disable=not sys.stderr.isatty(),
        )
        self._progress.start()
        self._task = self._progress.add_task("embedding", total=None, rate="")
        return self

    def __call__(self, summary: Summary) -> None:
        self._progress.update(
            self._task,
            completed=summary.done,
            total=summary.total,
            rate=f"{summary.per_second:,.1f}/s",
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()


def show(summary: Summary, store: str, *, upright: bool, as_json: bool) -> None:
    """Print what came of a run."""
    for problem in summary.unlisted:
        say(f"could not list {problem}")
    if as_json:
        sys.stdout.write(json.dumps(summary.to_json(), indent=2, ensure_ascii=False) + "\n")
        return
    lines = [f"{summary.embedded:>9,} embedded, {summary.per_second:,.1f} a second"]
    lines += [f"{summary.present:>9,} there already"] if summary.present else []
    lines += [f"{summary.repeated:>9,} named twice, and taken once"] if summary.repeated else []
    lines += [f"{summary.pruned:>9,} gone, and dropped"] if summary.pruned else []
    lines += [f"{count:>9,} failed: {reason}" for reason, count in summary.failed.most_common()]
    if upright and summary.embedded:
        lines.append("Photographs were turned as the camera noted; --not-upright leaves them.")
    console().print("\n".join(lines), soft_wrap=True)
    if summary.failures:
        say(f"which failed, and why, is in {store}/failures.parquet")
