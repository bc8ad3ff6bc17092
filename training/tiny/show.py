"""Draw what is shown or shipped, all of it kept out of training: `examples/` and the drawings."""

from __future__ import annotations

import json

import pictures
import words
from evaluate import on_white
from fetch import HERE
from PIL import Image

EXAMPLE_SIZE = 384
NOT_SHOWN = {"game-icons"}  # wants the author of every single icon named
TILE, ACROSS = 64, 20  # pixels of a tile of the sheet; tiles in a row


def draw_examples() -> None:
    folder = HERE.parents[1] / "examples"
    folder.mkdir(exist_ok=True)
    for file, text in pictures.EXAMPLES.items():
        style, name = pictures.example(text)
        slug = next(
            picture.slug
            for picture in pictures.listing(style)
            if words.concepts()[picture.concept].name == name
        )
        on_white(style, slug, EXAMPLE_SIZE).save(folder / file, optimize=True)


def draw_held_out() -> None:
    """A sheet of tiles, row by row, a manifest that names each in the same order, and all names."""
    shown = set(map(pictures.example, pictures.EXAMPLES.values()))
    listed = [
        picture
        for style in pictures.FAMILY
        if style not in NOT_SHOWN
        for picture in pictures.listing(style)
        if picture.split == "kept out"
        and (style, words.concepts()[picture.concept].name) not in shown
    ]
    rows = -(-len(listed) // ACROSS)
    sheet = Image.new("RGB", (ACROSS * TILE, rows * TILE), "white")
    for i, picture in enumerate(listed):
        place = (i % ACROSS * TILE, i // ACROSS * TILE)
        sheet.paste(on_white(picture.style, picture.slug, TILE), place)
    folder = HERE.parents[1] / "src" / "snaplink" / "data" / "drawings"
    folder.mkdir(exist_ok=True)
    sheet.save(folder / "sheet.png", optimize=True)
    tiles = [
        {"set": p.style, "icon": p.slug, "name": words.concepts()[p.concept].name} for p in listed
    ]
    lines = ",\n".join(json.dumps(tile, ensure_ascii=False) for tile in tiles)
    head = f'"tile": {TILE}, "across": {ACROSS}'
    (folder / "manifest.json").write_text(f'{{{head}, "tiles": [\n{lines}\n]}}\n', "utf-8")
    asked = [concept.name for concept in words.concepts() if words.can_be_asked(concept)]
    (folder / "names.txt").write_text("\n".join(asked) + "\n", "utf-8")


if __name__ == "__main__":
    draw_examples()
    draw_held_out()
