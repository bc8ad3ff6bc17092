"""The report of a comparison."""

from __future__ import annotations

from pathlib import Path

from snaplink.evaluation import Comparison

from . import page
from .plots import Plot, differences_plot
from .protocol import how
from .wording import named, percent, points

__all__ = ["comparison_plot", "title_of", "write_comparison"]

_KEYS = 200


def write_comparison(path: Path, found: Comparison) -> None:
    """Write the report of a comparison.

    Args:
        path: of the page.
        found: what was compared.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    first, second = found.first, found.second
    figures = [
        (
            f"{named(name)}, B less A",
            f"{points(each.value)} points",
            f"{points(each.low)} to {points(each.high)}, p = {each.p:.3f}",
        )
        for name, each in found.differences.items()
    ]
    a, b = title_of(found)
    sections = [
        page.Section("A and B", "", page.definitions({"A": a, "B": b})),
        page.Section("Differences", _PAIRED, page.figure(comparison_plot(found))),
        page.Section(
            "Pictures on which they differ",
            f"Only A was right on {len(found.only_first):,}, only B on {len(found.only_second):,}."
            + (f" In one result only, and left out: {found.left_out:,}." if found.left_out else ""),
            page.pre("\n".join(found.only_first[:_KEYS]) or "none", "Only A was right")
            + page.pre("\n".join(found.only_second[:_KEYS]) or "none", "Only B was right"),
        ),
    ]
    if found.by_class:
        sections.insert(2, _classes(found))
    sections.append(page.Section("Protocols", "", _protocols(found)))
    page.write(
        path,
        title=f"{first.model} and {second.model} on {first.dataset}",
        subtitle=f"{found.pictures:,} pictures in common · paired bootstrap · intervals of 95 %",
        figures=figures,
        sections=sections,
    )


_PAIRED = (
    "B less A, in percentage points, with the 95 % interval of the paired bootstrap: both are "
    "measured on the same draws of pictures. An interval that holds zero is no difference that "
    "these pictures could show."
)


def title_of(found: Comparison) -> tuple[str, str]:
    """A and B in a line each: the model, its prompts and its figure."""
    lines = []
    for each in (found.first, found.second):
        told = each.about.get("prompts_origin") or how(each)
        value = percent(each.metrics[each.headline])
        lines.append(
            f"{each.model} ({each.pretrained}, {each.about['fingerprint']['precision']})"
            f", {told}: {value} {named(each.headline)}"
        )
    return lines[0], lines[1]


def comparison_plot(found: Comparison) -> Plot:
    """The differences with their intervals."""
    rows = [(named(name), d.value, d.low, d.high) for name, d in found.differences.items()]
    title = f"{found.second.model} less {found.first.model} on {found.first.dataset}"
    return differences_plot(rows, name="differences", title=title)


def _classes(found: Comparison) -> page.Section:
    rows = sorted(found.by_class, key=lambda each: each[2] - each[3])
    table = page.bar_table(
        ("class", "B", "A", "B less A", "pictures"),
        [(name, b, (percent(a), points(b - a), f"{count:,}")) for name, count, a, b in rows],
        f"All {len(rows):,} classes, those that B does better first",
    )
    gained = sum(b > a for _, _, a, b in rows)
    lost = sum(b < a for _, _, a, b in rows)
    equal = len(rows) - gained - lost
    note = f"Of the classes, B is better on {gained:,}, A on {lost:,}, neither on {equal:,}."
    return page.Section("Classes", note, table)


def _protocols(found: Comparison) -> str:
    def told(name: str) -> dict[str, str]:
        about = getattr(found, name).about
        print_ = about["fingerprint"]
        return {
            "weights": f"SHA-256 {print_['weights_sha256']}",
            "precision": str(print_["precision"]),
            "SHA-256 of the prompts": str(about.get("prompts_sha256", "none")),
            "command": str(about.get("command", "")),
        }

    pairs = {
        f"{side}: {key}": value
        for side, name in (("A", "first"), ("B", "second"))
        for key, value in told(name).items()
    }
    return page.definitions(pairs)
