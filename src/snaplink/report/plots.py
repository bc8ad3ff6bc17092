"""Plots, drawn by matplotlib: for a page, in its own colours by day and night, or as files."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snaplink.errors import MissingPackageError
from snaplink.files import put

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from snaplink.evaluation.metrics import Calibration

__all__ = [
    "Curve",
    "Plot",
    "bars_plot",
    "calibration_plot",
    "confusion_plot",
    "curve_plot",
    "demand_matplotlib",
    "differences_plot",
]

# In a page the colours are the page's own, which change at night: each is drawn in a colour that
# nothing else has, and named in the SVG afterwards.
_ROLES = {"ink": "#16202b", "muted": "#5d6b7a", "grid": "#d6dde4", "accent": "#2463d9"}
SERIES = ("#2563d9", "#d9622b", "#12866a", "#9147b8", "#b58a00", "#c22f58", "#4d6a85")
"""The colours of curves, in order; of equal lightness, told apart by the colour-blind."""


@dataclass(frozen=True)
class Curve:
    """A line of a plot.

    Attributes:
        name: in the legend.
        x, y: its points; y are fractions from 0 to 1.
        low, high: the interval at each point; None for none.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


@dataclass(frozen=True)
class Plot:
    """A finished plot.

    Attributes:
        name: of its files.
        title: what it shows, for those who do not see it.
        figure: matplotlib's.
    """

    name: str
    title: str
    figure: Figure

    def svg(self) -> str:
        """For a page: an ``<svg>`` whose colours are the page's variables."""
        text = self._written("svg").decode()
        text = text[text.index("<svg") :]
        for number, colour in enumerate(SERIES):
            text = text.replace(colour, f"var(--series-{number}, {colour})")
        for role, colour in _ROLES.items():
            text = text.replace(colour, f"var(--{role})")
        # Attributes take no variables where declarations do.
        text = re.sub(r' (fill|stroke)="(var\([^"]*\))"', r' style="\1: \2"', text)
        text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
        text = re.sub(r"font: ([0-9.]+px)[^;\"]*", r"font: \1 inherit; font-family: inherit", text)
        size = re.search(r'width="([0-9.]+)pt"', text)
        assert size is not None
        text = re.sub(r' (width|height)="[0-9.]+pt"', "", text, count=2)
        # Ids must not meet those of the page's other plots.
        text = re.sub(r'(id="|url\(#|xlink:href="#)', rf"\1{self.name}-", text)
        wide = float(size[1]) * 4 / 3
        label = f'role="img" aria-label="{escape(self.title)}" style="max-width: {wide:.0f}px"'
        return text.replace("<svg ", f"<svg {label} ", 1)

    def write(self, folder: Path) -> list[Path]:
        """Write NAME.png and NAME.svg into a folder, which is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{self.name}.{form}" for form in ("png", "svg")]
        for path in paths:
            put(path, self._written(path.suffix[1:], ground="white"))
        return paths

    def _written(self, form: str, ground: str = "none") -> bytes:
        import matplotlib as mpl

        buffer = io.BytesIO()
        # Without dates and random ids, equal results make equal files.
        metadata = {"Date": None} if form == "svg" else {}
        with (
            mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "snaplink"}),
            warnings.catch_warnings(),
        ):
            # Names may be of any script; who shows an SVG has fonts of their own.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            for axes in self.figure.axes:
                axes.set_facecolor("none")
            self.figure.savefig(buffer, format=form, dpi=150, facecolor=ground, metadata=metadata)
        return buffer.getvalue()


def demand_matplotlib() -> None:
    """Find out whether plots can be drawn, before work is done in vain.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401  # only to know whether it is there
    except ImportError:
        raise MissingPackageError("reports and plots", "matplotlib", "eval") from None


def curve_plot(
    curves: Sequence[Curve],
    *,
    name: str,
    title: str,
    x_label: str,
    y_label: str,
    log2: bool = False,
) -> Plot:
    """Lines with their intervals, such as accuracy over shots a class.

    Args:
        curves: at most as many as `SERIES`.
        name: of the files.
        title: what it shows.
        x_label, y_label: of the axes.
        log2: doublings are equally far apart on the x axis.
    """
    with _drawn(7, 4.4) as (figure, axes):
        for curve, colour in zip(curves, SERIES, strict=False):
            axes.plot(curve.x, curve.y, color=colour, marker="o", ms=5, lw=2, label=curve.name)
            if curve.low is not None and curve.high is not None:
                axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.14, lw=0)
        if log2:
            axes.set_xscale("log", base=2)
        places = sorted({x for curve in curves for x in curve.x})
        axes.set_xticks(places, [f"{x:g}" for x in places])
        axes.minorticks_off()
        _percent(axes.yaxis)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.legend(frameon=False, labelcolor=_ROLES["ink"])
    return Plot(name, title, figure)


def bars_plot(
    names: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[tuple[float, float]] | None,
    *,
    name: str,
    title: str,
    mean: float | None = None,
) -> Plot:
    """A horizontal bar a class, the first on top.

    Args:
        names: of the classes.
        values: fractions.
        intervals: of the values; None for none.
        name, title: see `Plot`.
        mean: drawn as a line.
    """
    with _drawn(7, 0.9 + 0.24 * len(names)) as (figure, axes):
        rows = np.arange(len(names))
        axes.barh(rows, values, color=_ROLES["accent"], height=0.62, alpha=0.85)
        if intervals is not None:
            for row, (low, high) in zip(rows, intervals, strict=True):
                axes.plot([low, high], [row, row], color=_ROLES["ink"], lw=1.2)
        if mean is not None:
            axes.axvline(mean, color=_ROLES["muted"], lw=1, ls=(0, (4, 3)))
        axes.set_yticks(rows, [_short(each) for each in names])
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0, 1)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        _percent(axes.xaxis)
    return Plot(name, title, figure)


def confusion_plot(matrix: np.ndarray, names: Sequence[str], *, name: str, title: str) -> Plot:
    """Which class was taken for which: right classes down, given ones across.

    Args:
        matrix: counts ``[classes, classes]``.
        names: of the classes.
        name, title: see `Plot`.
    """
    side = max(3.4, 0.28 * len(names))
    with _drawn(side + 2.2, side + 1.6) as (figure, axes):
        sums = matrix.sum(1, keepdims=True)
        shares = np.divide(matrix, sums, out=np.zeros(matrix.shape), where=sums > 0)
        for row, column in zip(*np.nonzero(matrix), strict=True):
            axes.add_patch(_cell(row, column, shares[row, column], right=row == column))
            if len(names) <= 30:
                axes.text(
                    column, row, f"{matrix[row, column]}", ha="center", va="center", fontsize=7,
                    color="white" if shares[row, column] > 0.5 else _ROLES["ink"],
                )  # fmt: skip
        labels = [_short(each) for each in names]
        axes.set_xticks(range(len(names)), labels, rotation=60, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), labels)
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_aspect("equal")
        axes.grid(visible=False)
        axes.tick_params(length=0, labelsize=8)
        axes.set_xlabel("answer")
        axes.set_ylabel("truth")
    return Plot(name, title, figure)


def _cell(row: int, column: int, share: float, *, right: bool) -> Any:
    from matplotlib.patches import Rectangle

    colour = _ROLES["accent"] if right else SERIES[1]
    corner = (column - 0.5, row - 0.5)
    return Rectangle(corner, 1, 1, color=colour, alpha=0.12 + 0.88 * float(share), lw=0)


def differences_plot(
    rows: Sequence[tuple[str, float, float, float]], *, name: str, title: str
) -> Plot:
    """Differences with their intervals, around zero.

    Args:
        rows: a name, the difference, and both ends of its interval, as fractions.
        name, title: see `Plot`.
    """
    with _drawn(7, 1.1 + 0.42 * len(rows)) as (figure, axes):
        places = np.arange(len(rows))
        for place, (_, value, low, high) in zip(places, rows, strict=True):
            clear = low > 0 or high < 0
            colour = _ROLES["accent"] if clear else _ROLES["muted"]
            axes.plot([100 * low, 100 * high], [place, place], color=colour, lw=2.2)
            axes.scatter([100 * value], [place], s=50, color=colour, zorder=3)
        axes.axvline(0, color=_ROLES["ink"], lw=1)
        axes.set_yticks(places, [each[0] for each in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("percentage points")
    return Plot(name, title, figure)


def calibration_plot(found: Calibration, *, name: str, title: str) -> Plot:
    """How often answers were right, by how sure they were; below, how many there were."""
    with _drawn(5.2, 4.6) as (figure, axes):
        width = found.edges[1] - found.edges[0]
        most = max(found.counts)
        for low, count, sure, right in zip(
            found.edges, found.counts, found.confidence, found.accuracy, strict=False
        ):
            if count:
                axes.bar(low + width / 2, 0.12 * count / most, width * 0.9,
                         color=_ROLES["grid"], zorder=1)  # fmt: skip
                axes.plot([sure, sure], [sure, right], color=SERIES[1], lw=1.6, zorder=2)
                size = 20 + 120 * math.sqrt(count / most)
                axes.scatter([sure], [right], s=size, color=_ROLES["accent"], zorder=3)
        axes.plot([0, 1], [0, 1], color=_ROLES["muted"], lw=1, ls=(0, (4, 3)), zorder=1)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        _percent(axes.xaxis)
        _percent(axes.yaxis)
        axes.set_xlabel("how sure the answer was")
        axes.set_ylabel("how often it was right")
    return Plot(name, title, figure)


@contextmanager
def _drawn(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure and its axes in the house's colours; matplotlib's global state stays as it is."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {
        "font.size": 9.5,
        "text.color": _ROLES["ink"],
        "axes.labelcolor": _ROLES["muted"],
        "axes.edgecolor": _ROLES["grid"],
        "axes.axisbelow": True,
        "xtick.color": _ROLES["muted"],
        "ytick.color": _ROLES["muted"],
        "xtick.labelcolor": _ROLES["ink"],
        "ytick.labelcolor": _ROLES["ink"],
        "grid.color": _ROLES["grid"],
        "axes.grid": True,
        "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right", "left"]].set_visible(False)
        yield figure, axes


def _percent(axis: Any) -> None:
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))


def _short(name: str, longest: int = 28) -> str:
    """A name that fits."""
    return name if len(name) <= longest else name[: longest - 1] + "…"
