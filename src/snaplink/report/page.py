"""One page of HTML that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from PIL import Image

from snaplink.files import put

from .plots import SERIES, Plot

__all__ = ["Card", "Section", "bar_table", "definitions", "figure", "gallery", "pre", "write"]

_STYLE = Path(__file__).with_name("page.css")
_THUMBNAIL = 160


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: its heading.
        note: a sentence or two below it; "" for none.
        body: HTML, from the functions of this module.
    """

    title: str
    note: str
    body: str


@dataclass(frozen=True)
class Card:
    """A picture with what is said of it.

    Attributes:
        picture: shown small; None where only its name is known.
        key: its name.
        lines: what is said, as pairs of a word and a text.
    """

    picture: Image.Image | None
    key: str
    lines: Sequence[tuple[str, str]]


def write(
    path: Path,
    *,
    title: str,
    subtitle: str,
    figures: Sequence[tuple[str, str, str]],
    sections: Sequence[Section],
) -> None:
    """Write a page.

    Args:
        path: of the file.
        title: its heading.
        subtitle: a line below.
        figures: the headline figure first, then more: what it is, the figure, its interval or "".
        sections: the rest.
    """
    put(path, _page(title, subtitle, figures, sections).encode("utf-8", errors="replace"))


def _page(
    title: str,
    subtitle: str,
    figures: Sequence[tuple[str, str, str]],
    sections: Sequence[Section],
) -> str:
    series = "".join(f"--series-{i}: {colour};" for i, colour in enumerate(SERIES))
    style = _STYLE.read_text(encoding="utf-8") + f":root {{ {series} }}"
    rule = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    parts = "\n".join(
        f"<section>\n<h2>{escape(each.title)}</h2>\n"
        + (f'<p class="note">{_words(each.note)}</p>\n' if each.note else "")
        + f"{each.body}\n</section>"
        for each in sections
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{rule}">
<title>{escape(title)}</title>
<style>
{style}
</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p class="subtitle">{_words(subtitle)}</p>
{_figures(figures)}
</header>
<main>
{parts}
</main>
</body>
</html>
"""


def _words(text: str) -> str:
    """Our own words, in which a figure and its sign stay on one line; what others typed stays."""
    return escape(text).replace(" %", "\N{NO-BREAK SPACE}%")


def _figures(figures: Sequence[tuple[str, str, str]]) -> str:
    items = "\n".join(
        f'<div class="figure"><dt>{escape(name)}</dt><dd>{_words(value)}'
        + (f"<small>{_words(interval)}</small>" if interval else "")
        + "</dd></div>"
        for name, value, interval in figures
    )
    return f'<dl class="figures">\n{items}\n</dl>'


def figure(plot: Plot) -> str:
    """A plot within the page, as wide as it is at most."""
    return f"<figure>{plot.svg()}</figure>"


def gallery(cards: Iterable[Card]) -> str:
    """Pictures side by side, as many as fit."""
    return '<ul class="gallery">' + "".join(map(_card, cards)) + "</ul>"


def _card(card: Card) -> str:
    shown = (
        f'<img src="{_data_url(card.picture)}" alt="{escape(card.key)}">'
        if card.picture is not None
        else f'<span class="missing">{escape(card.key)}</span>'
    )
    lines = "".join(f"<span><i>{escape(a)}</i> {_words(b)}</span>" for a, b in card.lines)
    return f'<li title="{escape(card.key)}">{shown}{lines}</li>'


def _data_url(picture: Image.Image) -> str:
    small = picture.convert("RGBA" if "A" in picture.getbands() else "RGB")
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=85)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def bar_table(
    headings: Sequence[str],
    rows: Iterable[tuple[str, float, Sequence[str]]],
    summary: str,
    *,
    opened: bool = False,
) -> str:
    """A table that opens when asked for, with a bar in each row.

    Args:
        headings: of all columns: the name's, the bar's, and the others'.
        rows: a name, a fraction from 0 to 1, and the other cells.
        summary: what is clicked.
        opened: whether it is open already.
    """
    head = "".join(f"<th>{_words(each)}</th>" for each in headings)
    body = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        f'<td class="bar"><span style="--share: {share:.4f}">{share:.1%}</span></td>'
        + "".join(f"<td>{_words(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, share, cells in rows
    )
    return (
        f"<details{' open' * opened}><summary>{escape(summary)}</summary>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div></details>"
    )


def definitions(pairs: Mapping[str, str]) -> str:
    """What is called how, in two columns."""
    rows = "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in pairs.items())
    return f'<dl class="pairs">{rows}</dl>'


def pre(text: str, summary: str = "") -> str:
    """Text as it is; behind a line to click, where one is given."""
    shown = f"<pre>{escape(text)}</pre>"
    return f"<details><summary>{escape(summary)}</summary>{shown}</details>" if summary else shown
