"""Measure `tiny` as a user meets it, through `clip.load`, and write `figures.json`."""

from __future__ import annotations

import json
import random
from pathlib import Path

import folders
import numpy as np
import pictures
import torch
import words
from export import TARGET
from fetch import HERE
from PIL import Image
from torch import Tensor

import clip

SIZE = 256  # pixels of a rendered picture before `preprocess`
THINGS = {3, 4, 5, 6, 7}  # groups: animals, food, travel, activities, objects
SUBSETS = 2000  # random draws of labels


class Measured:
    """The model with the features of texts and pictures, normalised."""

    def __init__(self, path: Path) -> None:
        self.model, self.preprocess = clip.load(str(path), device="cpu")

    @torch.no_grad()
    def texts(self, texts: list[str]) -> Tensor:
        return unit(self.model.encode_text(clip.tokenize(texts)))

    def names(self, concepts: list[int]) -> Tensor:
        return self.texts([f"a photo of a {words.concepts()[i].name}" for i in concepts])

    @torch.no_grad()
    def images(self, images: list[Image.Image]) -> Tensor:
        return unit(self.model.encode_image(torch.stack([self.preprocess(i) for i in images])))

    def icons(self, listed: list[pictures.Picture]) -> Tensor:
        return self.images([on_white(p.style, p.slug, SIZE) for p in listed])


def unit(features: Tensor) -> Tensor:
    return features / features.norm(dim=-1, keepdim=True)


def on_white(style: str, slug: str, size: int) -> Image.Image:
    drawing = Image.fromarray(pictures.render(style, slug, size).transpose(1, 2, 0), "RGBA")
    white = Image.new("RGBA", drawing.size, "white")
    return Image.alpha_composite(white, drawing).convert("RGB")


def top(image: Tensor, text: Tensor, answers: list[int], known: list[int]) -> dict[str, float]:
    """Shares of pictures whose concept is the first, and among the first five, of `known`."""
    ranked = torch.tensor(known)[(image @ text.T).topk(5).indices]
    right = ranked == torch.tensor(answers)[:, None]
    return {
        "pictures": len(answers),
        "labels": len(known),
        "top1": percent(right[:, 0]),
        "top5": percent(right.any(1)),
    }


def percent(right: Tensor) -> float:
    return round(100 * right.float().mean().item(), 1)


def naming(measured: Measured, listed: list[pictures.Picture], image: Tensor) -> dict:
    """Over all trained names; of things only; and of the concepts left out of training."""
    asked = [i for i, c in enumerate(words.concepts()) if words.can_be_asked(c)]
    left_out = [i for i, c in enumerate(words.concepts()) if c.left_out]
    text = measured.names(asked)
    figures = {}
    for title, kept in (
        ("all names", [i for i, p in enumerate(listed) if p.concept in asked]),
        ("things", [i for i, p in enumerate(listed) if p.concept in asked and is_thing(p)]),
    ):
        figures[title] = top(image[kept], text, [listed[i].concept for i in kept], asked)
    kept = [i for i, p in enumerate(listed) if p.concept in left_out]
    answers = [listed[i].concept for i in kept]
    figures["left-out concepts"] = top(image[kept], measured.names(left_out), answers, left_out)
    return figures


def is_thing(picture: pictures.Picture) -> bool:
    return words.concepts()[picture.concept].group in THINGS


def easy_sets(measured: Measured, listed: list[pictures.Picture], image: Tensor) -> dict:
    """Seven sets of familiar names, each picture named among its own set; and random labels."""
    by_name = {words.concepts()[p.concept].name: i for i, p in enumerate(listed)}
    figures = {}
    for title, names in words.EASY_SETS.items():
        rows = [by_name[name] for name in names]
        scores = image[rows] @ measured.names([listed[i].concept for i in rows]).T
        figures[title] = percent(scores.argmax(1) == torch.arange(len(rows)))
    figures["average"] = round(sum(figures.values()) / len(figures), 1)
    rows = [by_name[name] for names in words.EASY_SETS.values() for name in names]
    scores = image[rows] @ measured.names([listed[i].concept for i in rows]).T
    figures["among random labels"] = {n: among(scores, n) for n in (2, 3, 5, 10)}
    return figures


def among(scores: Tensor, labels: int) -> float:
    """How often a picture's own label is the best of so many random ones."""
    rng = random.Random(labels)
    right = 0
    for _ in range(SUBSETS):
        own = rng.randrange(len(scores))
        others = rng.sample([i for i in range(len(scores)) if i != own], labels - 1)
        right += bool((scores[own, own] > scores[own, others]).all())
    return round(100 * right / SUBSETS, 1)


def retrieval(measured: Measured, listed: list[pictures.Picture], image: Tensor) -> dict:
    """Tags of 6 to 50 pictures: how often the first ten pictures hold at least one of them."""
    owners: dict[str, set[int]] = {}
    for i, picture in enumerate(listed):
        for tag in words.concepts()[picture.concept].tags:
            owners.setdefault(tag, set()).add(i)
    tags = [tag for tag, own in owners.items() if 6 <= len(own) <= 50]
    first = (measured.texts(tags) @ image.T).topk(10).indices.tolist()
    hits = [len(owners[tag] & set(found)) for tag, found in zip(tags, first, strict=True)]
    return {
        "tags": len(tags),
        "pictures": len(listed),
        "at least one in ten": round(100 * float(np.mean([n > 0 for n in hits])), 1),
        "share of the first ten": round(10 * float(np.mean(hits)), 1),
    }


def digits(measured: Measured) -> dict:
    """The last 797 of scikit-learn's digits, eight pixels wide, as ink on paper and as chalk."""
    listed, pixels = pictures.digits()
    kept = [i for i, picture in enumerate(listed) if picture.split == "digits"]
    answers = torch.tensor([int(words.concepts()[listed[i].concept].code) for i in kept])
    text = measured.texts([f"a handwritten digit {i}" for i in range(10)])
    figures = {}
    for title, paper in (("dark on white", 255), ("white on black", 0)):
        # Not in bytes: 0 less an ink of 255 would be 1 there.
        ink = [abs(paper - pixels[i, 3].numpy().astype(int)).astype(np.uint8) for i in kept]
        scores = measured.images([Image.fromarray(i) for i in ink]) @ text.T
        figures[title] = percent(scores.argmax(1) == answers)
    return {"pictures": len(kept), **figures}


def examples(measured: Measured) -> dict:
    """The pictures of `examples/`, each named among the dozen names of them all."""
    wanted = {file: pictures.example(text)[1] for file, text in pictures.EXAMPLES.items()}
    names = list(wanted.values())
    folder = HERE.parents[1] / "examples"
    image = measured.images([Image.open(folder / file) for file in wanted])
    scores = image @ measured.texts([f"a photo of a {name}" for name in names]).T
    given = [names[i] for i in scores.argmax(1)]
    right = sum(a == b for a, b in zip(given, names, strict=True))
    return {"right": right, "of": len(names), "answers": dict(zip(wanted, given, strict=True))}


def figures(path: Path = TARGET) -> dict:
    measured = Measured(path)
    listed, _ = pictures.load(pictures.HELD_OUT_STYLE)
    image = measured.icons(listed)
    own = [
        picture
        for style in pictures.FAMILY
        for picture in pictures.load(style)[0]
        if picture.split == "kept out"
    ]
    return {
        "openmoji": naming(measured, listed, image),
        "openmoji easy sets": easy_sets(measured, listed, image),
        "openmoji retrieval": retrieval(measured, listed, image),
        "kept-out pictures of training styles": kept_out(measured, own),
        "those of heldout/sheet.png": sheet(measured),
        "digits": digits(measured),
        "examples": examples(measured),
    }


def kept_out(measured: Measured, listed: list[pictures.Picture]) -> dict:
    asked = [i for i, c in enumerate(words.concepts()) if words.can_be_asked(c)]
    answers = [picture.concept for picture in listed]
    return top(measured.icons(listed), measured.names(asked), answers, asked)


def sheet(measured: Measured) -> dict:
    """The tiles that are shipped, of 64 pixels: all but the examples and one set's."""
    asked = [i for i, c in enumerate(words.concepts()) if words.can_be_asked(c)]
    by_name = {words.concepts()[i].name: i for i in asked}
    names, images = zip(*((name, image) for name, _, image in folders.tiles()), strict=True)
    answers = [by_name[name] for name in names]
    return top(measured.images(list(images)), measured.names(asked), answers, asked)


if __name__ == "__main__":
    found = figures()
    text = json.dumps(found, indent=2, ensure_ascii=False)
    (HERE / "figures.json").write_text(text + "\n", encoding="utf-8")
    print(text)
