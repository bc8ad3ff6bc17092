"""Contact sheets: pictures with a line under each, as a PNG or as a page of HTML."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from PIL import Image, ImageDraw, ImageFont

from .errors import ArgumentError
from .files import put
from .thumbnails import data_url, thumbnails

__all__ = ["FORMS", "Section", "Tile", "check_form", "sheet_html", "sheet_png", "write_sheet"]

FORMS = (".png", ".html", ".htm")
"""What the name of a sheet may end in."""

_SIDE = 176  # of a picture on a sheet, in pixels
_SIDE_ON_PAGE = 256  # twice what a page shows, for fine screens
_GAP = 20
_LINE = 20
_MOST_COLUMNS = 6


@dataclass(frozen=True)
class Tile:
    """A picture of a sheet.

    Args:
        source: where it is, as a store says it.
        mark: a few characters in bold, such as a score.
        name: what it is called.
    """

    source: str | None
    mark: str
    name: str


@dataclass(frozen=True)
class Section:
    """Pictures under a heading."""

    title: str
    tiles: Sequence[Tile]


def check_form(path: Path) -> None:
    """Raises ArgumentError where no sheet can be written under this name."""
    if path.suffix.lower() not in FORMS:
        raise ArgumentError(f"a sheet is a .png or .html file, not {path.name!r}")
    if not path.absolute().parent.is_dir():
        raise ArgumentError(f"{path.parent} is no folder: the sheet cannot be written there")


def write_sheet(path: Path, sections: Sequence[Section]) -> None:
    """Write a sheet in the form that its name ends in: whole, or not at all.

    Args:
        path: ends in .png or .html.
        sections: pictures under headings; a picture that cannot be read is a grey square.

    Raises:
        ArgumentError: the name ends in something else, or its folder is not there.
    """
    check_form(path)
    if path.suffix.lower() == ".png":
        file = io.BytesIO()
        sheet_png(sections).save(file, "PNG", optimize=True)
        put(path, file.getvalue())
    else:
        put(path, sheet_html(sections).encode())


def sheet_png(sections: Sequence[Section]) -> Image.Image:
    """The sheet as one picture, on white."""
    widest = max((len(section.tiles) for section in sections), default=1)
    columns = max(1, min(_MOST_COLUMNS, widest))
    grids = [_grid(section, columns) for section in sections]
    width = columns * (_SIDE + _GAP) + _GAP
    page = Image.new("RGB", (width, sum(grid.height for grid in grids) or 1), "white")
    top = 0
    for grid in grids:
        page.paste(grid, (0, top))
        top += grid.height
    return page


def _grid(section: Section, columns: int) -> Image.Image:
    width = columns * (_SIDE + _GAP) + _GAP
    row_height = _SIDE + _LINE + _GAP
    rows = -(-len(section.tiles) // columns)
    grid = Image.new("RGB", (width, 2 * _GAP + _LINE + rows * row_height), "white")
    draw = ImageDraw.Draw(grid)
    title = _fitted(section.title, _font(18), width - 2 * _GAP)
    draw.text((_GAP, _GAP), title, fill="#111", font=_font(18))
    pictures = thumbnails([tile.source for tile in section.tiles], _SIDE)
    for number, (tile, picture) in enumerate(zip(section.tiles, pictures, strict=True)):
        row, column = divmod(number, columns)
        left = _GAP + column * (_SIDE + _GAP)
        top = 2 * _GAP + _LINE + row * row_height
        _draw_tile(draw, grid, (left, top), tile, picture)
    return grid


def _draw_tile(
    draw: ImageDraw.ImageDraw,
    grid: Image.Image,
    corner: tuple[int, int],
    tile: Tile,
    picture: Image.Image | None,
) -> None:
    left, top = corner
    if picture is None:
        draw.rounded_rectangle((left, top, left + _SIDE - 1, top + _SIDE - 1), 6, fill="#e4e4e4")
    else:
        place = (left + (_SIDE - picture.width) // 2, top + (_SIDE - picture.height) // 2)
        grid.paste(picture, place)
    line = top + _SIDE + 4
    draw.text((left, line), tile.mark, fill="#0a6", font=_font(14))
    taken = round(_font(14).getlength(tile.mark)) + 8 if tile.mark else 0
    name = _fitted(tile.name, _font(14), _SIDE - taken)
    draw.text((left + taken, line), name, fill="#444", font=_font(14))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """The text in one line that is no wider."""
    line = " ".join(text.split())
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "…") > width:
        line = line[:-1]
    return line + "…"


def sheet_html(sections: Sequence[Section]) -> str:
    """The sheet as a page with the pictures inside."""
    page = Template((files(__package__) / "pages" / "sheet.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=html.escape(sections[0].title if sections else "nothing"),
        sections="\n".join(map(_section_html, sections)),
    )


def _section_html(section: Section) -> str:
    pictures = thumbnails([tile.source for tile in section.tiles], _SIDE_ON_PAGE)
    figures = map(_figure, section.tiles, pictures)
    heading = f"<h2>{html.escape(section.title)}</h2>"
    return f"<section>\n{heading}\n<div>\n{chr(10).join(figures)}\n</div>\n</section>"


def _figure(tile: Tile, picture: Image.Image | None) -> str:
    name = html.escape(tile.name)
    shown = f'<img src="{data_url(picture)}" alt="{name}">' if picture else "<i>not found</i>"
    where = html.escape(_address(tile.source))
    caption = f"<b>{html.escape(tile.mark)}</b> {name}"
    return f'<figure><a href="{where}">{shown}</a><figcaption>{caption}</figcaption></figure>'


def _address(source: str | None) -> str:
    """Where a click leads: to a file or a web page, and never to a script."""
    if source is None:
        return "#"
    if source.startswith(("https://", "http://")):
        return source
    path = Path(source)
    return path.as_uri() if path.is_absolute() and "\0" not in source else "#"
