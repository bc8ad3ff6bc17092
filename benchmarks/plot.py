"""The picture for the README and the docs: pictures and captions a second, from kept results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from harness import ROOT, is_quick, results_folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = {
    "encode-pictures": ("Pictures a second", "images/s, 16"),
    "encode-captions": ("Captions a second", "captions/s, 64"),
}
OURS, THEIRS = "#d9480f", "#8fa3b5"
INK, FAINT = "#1f2933", "#7b8794"

Bars = list[tuple[str, float]]


def write() -> None:
    """docs/images/performance.svg and .png; of a quick run, in the workshop."""
    paths = {name: results_folder() / f"{name}.json" for name in PANELS}
    if not all(path.exists() for path in paths.values()):
        return
    kept = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items()}
    folder = results_folder() if is_quick() else ROOT / "docs" / "images"
    if all(bars(kept[name], column) for name, (_, column) in PANELS.items()):
        draw(kept, folder)


def draw(kept: dict[str, Any], folder: Any) -> None:
    """Two panels of bars, the fastest on top."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "snaplink", "axes.spines.top": False})
    from matplotlib import pyplot as plt

    panels = [(title, bars(kept[name], column)) for name, (title, column) in PANELS.items()]
    rows = max(len(each) for _, each in panels)
    figure, axes = plt.subplots(1, 2, figsize=(12, 1.2 + 0.3 * rows), layout="constrained")
    for place, (title, each) in zip(axes, panels, strict=True):
        draw_bars(place, title, each)
    figure.supxlabel(about(kept["encode-pictures"]["machine"]), fontsize=9, color=FAINT)
    for suffix, facts in (("svg", {"Date": None}), ("png", {"Software": None})):
        figure.savefig(folder / f"performance.{suffix}", dpi=130, metadata=facts)
    plt.close(figure)


def bars(kept: dict[str, Any], column: str) -> Bars:
    """Names and speeds of those that were measured, the slowest first."""
    results = kept["results"].items()
    measured = [(labelled(name, row), row[column]) for name, row in results if row[column]]
    return sorted(measured, key=lambda bar: bar[1])


def labelled(name: str, row: dict[str, Any]) -> str:
    """A row's name with its precision, if it does not say that already."""
    return name if name.endswith(row["precision"]) else f"{name} ({row['precision']})"


def draw_bars(place: Axes, title: str, each: Bars) -> None:
    names, speeds = zip(*each, strict=True)
    colours = [OURS if name.startswith("snaplink") else THEIRS for name in names]
    drawn = place.barh(names, speeds, color=colours, height=0.72)
    place.bar_label(drawn, [f"{speed:.0f}" for speed in speeds], padding=4, fontsize=9, color=INK)
    place.set_title(title, loc="left", fontsize=12, color=INK, weight="bold")
    place.set_xlim(0, max(speeds) * 1.12)
    place.set_xticks([])
    place.tick_params(axis="y", length=0, labelsize=9.5, colors=INK)
    place.spines[["right", "bottom"]].set_visible(False)
    place.spines["left"].set_color(FAINT)
    for label in place.get_yticklabels():
        if label.get_text().startswith("snaplink"):
            label.set_color(OURS)
            label.set_weight("bold")


def about(machine: dict[str, str]) -> str:
    facts = machine["processor"], machine["torch"], machine["date"]
    return f"ViT-B/32, 16 pictures or 64 captions at once; longer is faster; {', '.join(facts)}"
