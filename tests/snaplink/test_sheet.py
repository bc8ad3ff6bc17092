"""Contact sheets: what stands on them, and what cannot get into them."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from snaplink.embed import places
from snaplink.errors import ArgumentError
from snaplink.sheet import Section, Tile, sheet_html, sheet_png, write_sheet


@pytest.fixture
def tiles(tmp_path: Path) -> list[Tile]:
    tiles = []
    for number, colour in enumerate(["red", "lime", "blue"]):
        path = tmp_path / f"{colour}.png"
        Image.new("RGB", (300, 200), colour).save(path)
        tiles.append(Tile(str(path), f"0.{number}", path.name))
    return tiles


class Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_a_picture_shows_every_picture(tiles):
    sheet = sheet_png([Section("colours", tiles), Section("again", tiles[:1])])
    colours = [colour for _, colour in sheet.getcolors(1 << 24) if _ > 5000]
    assert {(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)} <= set(colours)


def test_a_page_shows_every_picture_and_needs_no_other_file(tiles):
    page = Page(sheet_html([Section("colours", tiles)]))
    pictures = page.all("img")
    assert [picture["alt"] for picture in pictures] == ["red.png", "lime.png", "blue.png"]
    assert all(picture["src"].startswith("data:image/jpeg;base64,") for picture in pictures)
    assert not page.all("script")
    assert not page.all("link")
    assert page.all("a")[0]["href"].startswith("file:///")
    assert "0.2" in page.text


def test_what_cannot_be_shown_leaves_its_place(tiles, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    gone = [
        Tile(None, "1", "a"),
        Tile(str(tmp_path / "no.png"), "2", "b"),
        Tile(str(tmp_path / "broken.png"), "3", "c"),
        tiles[0],
    ]
    page = Page(sheet_html([Section("some", gone)]))
    assert len(page.all("figure")) == 4
    assert len(page.all("img")) == 1
    assert sheet_png([Section("some", gone)]).width > 700


def test_a_server_that_fails_in_its_own_way_leaves_its_place(monkeypatch):
    def fail(address: str) -> None:
        raise RuntimeError(f"503 of {address}")

    monkeypatch.setattr(places, "place_of", fail)
    page = Page(sheet_html([Section("some", [Tile("https://h/a.jpg", "1", "a")])]))
    assert (len(page.all("figure")), len(page.all("img"))) == (1, 0)


EVIL = '"><script>alert(1)</script>&lt;$title ${x}'


def test_names_are_text_and_links_lead_to_no_script(tmp_path):
    evil = [Tile(EVIL, EVIL, EVIL), Tile("javascript:alert(1)", "", "x"), Tile("a\0b", "", "y")]
    page = Page(sheet_html([Section(EVIL, evil)]))
    assert not page.all("script")
    assert EVIL in page.text
    assert {link["href"] for link in page.all("a")} == {"#"}


def test_transparency_becomes_white_and_small_pictures_stay_sharp(tmp_path):
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    sheet = sheet_png([Section("", [Tile(str(tmp_path / "clear.png"), "", "")])])
    assert sheet.getcolors() == [(sheet.width * sheet.height, (255, 255, 255))]


def test_long_names_do_not_run_into_the_next_picture(tiles):
    long = [Tile(tile.source, "0.123", "a very long name " * 20) for tile in tiles]
    sheet = sheet_png([Section("long " * 100, long)])
    below_title = range(60, sheet.height)
    assert all(sheet.getpixel((x, y)) == (255, 255, 255) for x in (5, 207) for y in below_title)


def test_nothing_is_a_sheet_too():
    assert "<body>" in sheet_html([])
    assert sheet_png([]).width > 0
    assert sheet_png([Section("none", [])]).width > 0


def test_the_name_decides_the_form(tiles, tmp_path):
    write_sheet(tmp_path / "a.PNG", [Section("", tiles)])
    with Image.open(tmp_path / "a.PNG") as sheet:
        assert sheet.format == "PNG"
    write_sheet(tmp_path / "a.html", [Section("", tiles)])
    assert (tmp_path / "a.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(ArgumentError, match=r"\.png or \.html"):
        write_sheet(tmp_path / "a.pdf", [])
    with pytest.raises(ArgumentError, match="is no folder"):
        write_sheet(tmp_path / "no" / "a.png", [])
