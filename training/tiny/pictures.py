"""The pictures: icons of openly licensed sets, matched to concepts and rendered; and digits."""

from __future__ import annotations

import io
import json
import random
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import resvg_py
import torch
from fetch import CACHE, member
from PIL import Image
from sklearn.datasets import load_digits
from words import COLOURS, Concept, code_points, concepts, plain, shortcodes

SIZE = 80  # pixels; the model sees 64

# Sets drawn by the same hand keep their pictures of a concept out of training together.
FAMILY = {
    "noto": "noto", "noto-v1": "noto", "fluent-emoji": "fluent", "fluent-emoji-flat": "fluent",
    "fluent-emoji-high-contrast": "fluent", "fxemoji": "fxemoji", "twemoji": "twemoji",
    "emojione": "emojione", "emojione-monotone": "emojione", "ph": "ph", "tabler": "tabler",
    "lucide": "lucide", "icon-park": "icon-park", "mdi": "mdi", "game-icons": "game-icons",
    "fa7-solid": "fa7-solid",
}  # fmt: skip
HELD_OUT_STYLE = "openmoji"
# Sets that say which icon is which emoji; fluent-emoji has the slugs of fluent-emoji-flat.
WITH_CODES = {
    "noto", "twemoji", "openmoji",
    "fluent-emoji", "fluent-emoji-flat", "fluent-emoji-high-contrast",
}  # fmt: skip
ONE_COLOUR = {
    "fluent-emoji-high-contrast", "emojione-monotone", "ph", "tabler", "lucide", "mdi",
    "game-icons", "fa7-solid",
}  # fmt: skip
VARIANTS = re.compile(r"-(fill|filled|duotone|bold|outline)$")
MISLEADING = {
    "seal", "cricket", "android", "redo", "compression", "asterisk", "hash", "pick", "timer",
    "sound", "label", "park", "liar", "back", "down", "turkey", "iphone", "record", "repeat",
    "forward", "arrow-forward", "x", "cross", "minus", "id", "a-b", "cool", "info", "disk", "tram",
}  # fmt: skip

VALIDATION_FAMILY = "twemoji"  # a fifth of its pictures is kept out, to tune on
VALIDATION_SHARE = 0.2
KEPT_OUT = 12  # pictures' concepts kept out of every family, beside those of the examples
EXAMPLES: dict[str, str] = json.loads(Path(__file__).with_name("examples.json").read_text("utf-8"))


@dataclass(frozen=True)
class Picture:
    style: str  # the icon set, or "digits"
    slug: str
    concept: int  # index into `concepts()`
    split: str  # train, kept out (of a training style), left out (concept), openmoji, digits
    colours: tuple[str, ...] = ()


def icon_set(style: str) -> dict:
    return member(f"@iconify-json/{style}", "icons.json")


def by_code(style: str) -> dict[str, str]:
    """Code points to slugs, as the set itself says."""
    table = member(f"@iconify-json/{style}", "chars.json")
    return {code_points(code): slug for code, slug in table.items()}


@cache
def by_slug() -> dict[str, int]:
    """Names and unambiguous nicknames, spelt plainly, to concepts."""
    nicknames: dict[str, set[int]] = {}
    for index, concept in enumerate(concepts()):
        known = set(shortcodes().get(concept.code, ()))
        for style in ("noto", "twemoji", "fluent-emoji-flat"):
            known.add(by_code(style).get(concept.code, ""))
        for word in known:
            nicknames.setdefault(plain(word), set()).add(index)
    found = {word: next(iter(owners)) for word, owners in nicknames.items() if len(owners) == 1}
    found.pop("", None)
    return found | {plain(concept.name): index for index, concept in enumerate(concepts())}


def matches(style: str) -> list[tuple[str, int]]:
    """(slug, concept) of every icon of the set that shows one of the concepts."""
    icons = icon_set(style)["icons"]
    if style in WITH_CODES:
        codes = by_code("fluent-emoji-flat" if style == "fluent-emoji" else style)
        index = {concept.code: i for i, concept in enumerate(concepts()[:-10])}
        found = [(slug, index[code]) for code, slug in codes.items() if code in index]
        return sorted({pair for pair in found if pair[0] in icons}, key=lambda pair: pair[1])
    names = {slug: VARIANTS.sub("", slug) for slug in icons if slug not in MISLEADING}
    return [
        (slug, by_slug()[plain(name)])
        for slug, name in names.items()
        if plain(name) in by_slug() and name not in MISLEADING
    ]


def svg(style: str, slug: str) -> str:
    icons = icon_set(style)
    icon = icons["icons"][slug]
    box = [icon.get(k, icons.get(k, default)) for k, default in
           (("left", 0), ("top", 0), ("width", 16), ("height", 16))]  # fmt: skip
    view = " ".join(map(str, box))
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}">{icon["body"]}</svg>'


def render(style: str, slug: str, size: int = SIZE) -> np.ndarray:
    """The icon as uint8 [4, size, size]: red, green, blue (not premultiplied) and alpha."""
    text = svg(style, slug).replace("<svg ", f'<svg width="{size}" height="{size}" ', 1)
    png = resvg_py.svg_to_bytes(svg_string=text, skip_system_fonts=True)
    image = Image.open(io.BytesIO(bytes(png))).convert("RGBA").resize((size, size))
    return np.asarray(image).transpose(2, 0, 1).copy()


def colours(picture: np.ndarray) -> tuple[str, ...]:
    """The names of the colours that cover at least a quarter of what is drawn, largest first."""
    hue, saturation, value = (
        channel[picture[3] > 127].astype(int)
        for channel in np.asarray(
            Image.fromarray(picture[:3].transpose(1, 2, 0)).convert("HSV")
        ).transpose(2, 0, 1)
    )
    degrees = hue * 360 // 256
    names = np.select(
        [value < 60, (saturation < 40) & (value > 215), saturation < 45,
         (degrees < 50) & (value < 165) & (degrees > 8), (degrees < 16) | (degrees >= 345),
         degrees < 42, degrees < 68, degrees < 165, degrees < 255, degrees < 290],
        ["black", "white", "grey", "brown", "red", "orange", "yellow", "green", "blue", "purple"],
        "pink",
    )  # fmt: skip
    share = {name: float(np.mean(names == name)) for name in COLOURS} if names.size else {}
    if share.get("black", 1) < 0.6:
        share.pop("black", None)  # an outline is not the thing's colour
    large = sorted((-part, name) for name, part in share.items() if part >= 0.25)
    return tuple(name for _, name in large)


def kept_out(family: str) -> set[int]:
    """Concepts whose pictures of this family stay out of training."""
    rng = random.Random(f"kept out of {family}")
    known = [i for i, concept in enumerate(concepts()[:-10]) if not concept.left_out]
    share = int(VALIDATION_SHARE * len(known)) if family == VALIDATION_FAMILY else KEPT_OUT
    names = {name for style, name in map(example, EXAMPLES.values()) if FAMILY[style] == family}
    return set(rng.sample(known, share)) | {i for i in known if concepts()[i].name in names}


def example(text: str) -> tuple[str, str]:
    style, name = text.split(": ")
    return style, name


def coloured_by_name(concept: Concept) -> bool:
    return bool(set(concept.name.split()) & {*COLOURS, "light"})


def listing(style: str) -> list[Picture]:
    """The pictures of a set with their concepts and splits, not rendered yet."""
    found = []
    family = FAMILY.get(style)
    apart = kept_out(family) if family else set()
    for slug, index in matches(style):
        concept = concepts()[index]
        if style in ONE_COLOUR and coloured_by_name(concept):
            continue
        split = "kept out" if index in apart else "train"
        split = "left out" if concept.left_out else split
        found.append(Picture(style, slug, index, split if family else style))
    return found


def draw(picture: Picture) -> np.ndarray:
    return render(picture.style, picture.slug)


def drawn(style: str) -> tuple[list[Picture], torch.Tensor]:
    """A set's pictures, with their colours, and their pixels: uint8 [n, 4, SIZE, SIZE]."""
    listed = listing(style)
    path = CACHE / "rendered" / f"{style}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(2) as pool:
            np.save(path, np.stack(list(pool.map(draw, listed, chunksize=32))))
    pixels = np.load(path)
    tinted = style in ONE_COLOUR
    named = [
        Picture(p.style, p.slug, p.concept, p.split, () if tinted else colours(pixels[i]))
        for i, p in enumerate(listed)
    ]
    return named, torch.from_numpy(pixels)


def digits() -> tuple[list[Picture], torch.Tensor]:
    """scikit-learn's 1,797 handwritten digits as ink on nothing; the first 1,000 to train on."""
    data = load_digits()
    first = len(concepts()) - 10
    pixels = np.zeros((len(data.images), 4, SIZE, SIZE), np.uint8)
    for row, image in zip(pixels, data.images, strict=True):
        ink = Image.fromarray((image * (255 / 16)).astype(np.uint8))
        row[3] = np.asarray(ink.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    listed = [
        Picture("digits", str(i), first + int(value), "train" if i < 1000 else "digits")
        for i, value in enumerate(data.target)
    ]
    return listed, torch.from_numpy(pixels)


def load(*styles: str) -> tuple[list[Picture], torch.Tensor]:
    """Several sets in one list, and their pixels."""
    parts = [digits() if style == "digits" else drawn(style) for style in styles]
    return [p for listed, _ in parts for p in listed], torch.cat([pixels for _, pixels in parts])
