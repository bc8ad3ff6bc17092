"""What the model learns to name: concepts, the phrases that are true of them, and captions."""

from __future__ import annotations

import json
import random
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fetch import member

EMOJIBASE = "emojibase-data"
EASY_SETS: dict[str, list[str]] = json.loads(
    Path(__file__).with_name("easy_sets.json").read_text("utf-8")
)
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
LEFT_OUT = 80  # concepts wholly left out of training, to measure words never paired with a picture

COUNTRY_FLAGS = {98, 99}
FAMILIES = 30
GROUP_WEIGHT = {0: 1.3, 1: 0.6, 3: 1.3, 4: 1.3, 5: 1.0, 6: 1.0, 7: 1.2, 8: 0.5, 9: 0.5}

COLOURS = [
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
    "black",
    "white",
    "grey",
]
TEMPLATES = (
    "a photo of a {}", "a photo of a {}", "a photo of the {}", "a picture of a {}",
    "a drawing of a {}", "an icon of a {}", "an emoji of a {}", "a sketch of a {}",
    "clip art of a {}", "a {}", "the {}", "{}", "{}",
)  # fmt: skip
ENDINGS = ("", "", "", "", "", "", ".", ".", " icon", " drawing", " on a white background")
DIGIT_TEMPLATES = (
    "a handwritten digit {}", "a handwritten digit {}", "a handwritten number {}",
    "the digit {}", "the number {}", "a photo of the digit {}", "a photo of the number {}", "{}",
)  # fmt: skip
LONG_TEMPLATES = (
    "a picture of a {}, which has to do with {}", "this is a {} and it goes with the words {}",
    "a {} drawn on a plain background, also known by the words {}",
)  # fmt: skip

# What a person would call a whole subgroup of emoji.
CATEGORIES: dict[str, list[str]] = {
    "animal-mammal": ["animal", "mammal"], "animal-bird": ["bird", "animal"],
    "animal-amphibian": ["animal"], "animal-reptile": ["animal", "reptile"],
    "animal-marine": ["sea animal", "animal"], "animal-bug": ["insect", "bug"],
    "plant-flower": ["flower", "plant"], "plant-other": ["plant"],
    "food-fruit": ["fruit", "food", "something to eat"],
    "food-vegetable": ["vegetable", "food", "something to eat"],
    "food-prepared": ["food", "meal", "something to eat"],
    "food-asian": ["food", "asian food", "something to eat"],
    "food-sweet": ["dessert", "sweet food", "something to eat"],
    "drink": ["drink", "something to drink"], "dishware": ["dishware", "kitchen tool"],
    "place-geographic": ["landscape", "place"], "place-building": ["building", "place"],
    "place-religious": ["building", "religious building"], "place-other": ["place"],
    "transport-ground": ["vehicle", "transport"], "transport-water": ["boat", "vehicle"],
    "transport-air": ["aircraft", "vehicle"], "time": ["time"], "sky-weather": ["weather", "sky"],
    "event": ["celebration", "event"], "award-medal": ["award"], "sport": ["sport"],
    "game": ["game", "toy"], "arts-crafts": ["art"],
    "clothing": ["clothing", "something to wear"], "sound": ["sound"], "music": ["music"],
    "musical-instrument": ["musical instrument", "instrument"], "phone": ["phone"],
    "computer": ["computer", "electronic device"], "light-video": ["light"],
    "book-paper": ["paper"], "money": ["money"], "mail": ["mail"], "writing": ["writing tool"],
    "office": ["office supply"], "lock": ["lock"], "tool": ["tool"], "science": ["science"],
    "medical": ["medicine"], "household": ["household item"], "warning": ["warning sign", "sign"],
    "transport-sign": ["sign"], "arrow": ["arrow"], "religion": ["religious symbol"],
    "zodiac": ["zodiac sign"], "av-symbol": ["button", "symbol"], "math": ["math symbol"],
    "punctuation": ["punctuation"], "currency": ["currency"], "keycap": ["keycap"],
    "geometric": ["shape"], "flag": ["flag"], "heart": ["heart"], "cat-face": ["cat face"],
    "body-parts": ["body part"], "person-role": ["person at work"], "person-sport": ["athlete"],
    "person-fantasy": ["fantasy person"],
}  # fmt: skip
BY_GROUP = {0: ["face", "emotion"], 1: ["person"], 7: ["object"], 8: ["symbol"]}


@dataclass(frozen=True)
class Concept:
    """One thing to be named: an emoji, or a handwritten digit."""

    name: str
    tags: tuple[str, ...]  # other words for it, or about it
    categories: tuple[str, ...]
    code: str  # the emoji's code points without variation selectors, or the digit's value
    group: int
    weight: float  # how often it is drawn into a batch
    mirrors: bool  # whether its mirror image means the same
    left_out: bool = False

    @property
    def facts(self) -> frozenset[str]:
        return frozenset((self.name, *self.tags, *self.categories))


def plain(text: str) -> str:
    """Letters and digits of a name or slug, without case, accents, spaces and punctuation."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "", ascii_only.lower().replace("&", "and"))


def code_points(code: str) -> str:
    parts = (part.lower().lstrip("0") for part in code.split("-"))
    return "-".join(part for part in parts if part != "fe0f")


@cache
def shortcodes() -> dict[str, set[str]]:
    """Nicknames of each emoji ("car" for the automobile), by its code points."""
    found: dict[str, set[str]] = {}
    for book in ("github", "joypixels", "iamcal", "cldr", "emojibase-legacy"):
        for code, names in member(EMOJIBASE, f"en/shortcodes/{book}.json").items():
            words = [names] if isinstance(names, str) else names
            found.setdefault(code_points(code), set()).update(words)
    return found


def emoji(entry: dict, subgroups: dict[str, str]) -> Concept:
    name = re.sub(r"[“”:!]", "", entry["label"]).lower()
    code = code_points(entry["hexcode"])
    nicknames = {word.replace("_", " ").replace("-", " ") for word in shortcodes().get(code, ())}
    tags = sorted(set(entry.get("tags", ())) | {n for n in nicknames if n.isascii()} - {name})
    subgroup = subgroups[str(entry["subgroup"])]
    group = entry["group"]
    turned = re.search(r"left|right|clock|east|west", name) or subgroup == "time"
    return Concept(
        name=name,
        tags=tuple(tag for tag in tags if tag != name and len(tag) > 1),
        categories=tuple(CATEGORIES.get(subgroup, []) + BY_GROUP.get(group, [])),
        code=code,
        group=group,
        weight=GROUP_WEIGHT[group],
        mirrors=group in {0, 3, 4, 5, 6, 7} and not turned,
    )


@cache
def concepts() -> tuple[Concept, ...]:
    """All emoji but country flags, skin tones, mirrored twins and families; then the ten digits."""
    subgroups = member(EMOJIBASE, "meta/groups.json")["subgroups"]
    kept = [
        emoji(entry, subgroups)
        for entry in member(EMOJIBASE, "en/data.json")
        if entry.get("group") not in (None, 2)
        and entry["subgroup"] not in COUNTRY_FLAGS | {FAMILIES}
        and "facing right" not in entry["label"]
    ]
    easy = {name for names in EASY_SETS.values() for name in names}
    candidates = [c.name for c in kept if c.name not in easy]
    left_out = set(random.Random(3).sample(candidates, LEFT_OUT))
    kept = [Concept(**{**vars(c), "left_out": c.name in left_out}) for c in kept]
    return (*kept, *map(digit, range(10)))


def can_be_asked(concept: Concept) -> bool:
    """Whether the concept is one of the emoji that training shows."""
    return concept.group != 10 and not concept.left_out


def digit(value: int) -> Concept:
    word = DIGITS[value]
    return Concept(f"handwritten digit {value}", (f"digit {value}", f"number {word}"),
                   ("handwritten digit", "number"), str(value), 10, 0.0, False)  # fmt: skip


def caption(concept: Concept, colour: str | None, rng: random.Random) -> tuple[str, frozenset[str]]:
    """A caption of a picture of the concept, and the facts that it claims."""
    if concept.group == 10:
        value = rng.choice((concept.code, DIGITS[int(concept.code)]))
        return rng.choice(DIGIT_TEMPLATES).format(value), frozenset((concept.name,))
    words, claims = phrase(concept, colour, rng)
    text = rng.choice(TEMPLATES).format(words) + rng.choice(ENDINGS)
    return re.sub(r"\ba (?=[aeiou])", "an ", text) if rng.random() < 0.5 else text, claims


def phrase(concept: Concept, colour: str | None, rng: random.Random) -> tuple[str, frozenset[str]]:
    chance = rng.random()
    name, tags, categories = concept.name, concept.tags, concept.categories
    if chance < 0.20 and tags:
        some = [rng.choice(tags)]
    elif chance < 0.28 and len(tags) > 1:
        some = rng.sample(tags, min(len(tags), rng.choice((2, 3))))
    elif chance < 0.38 and tags:
        some = [name, *rng.sample(tags, min(len(tags), 2))]
    elif chance < 0.43 and categories:
        some = [rng.choice(categories)]
    elif chance < 0.53 and categories and colour:
        some = [colour, rng.choice(categories)]
    elif chance < 0.58 and colour and colour not in name:
        some = [colour, name]
    else:
        some = [name]
    return " ".join(some), frozenset(some)


def long_caption(concept: Concept, rng: random.Random) -> tuple[str, frozenset[str]]:
    """A caption of many words, so that the later positions of the context are trained too."""
    if concept.group == 10:
        return caption(concept, None, rng)
    words = [*concept.tags, *concept.categories]
    rng.shuffle(words)
    words = words[: rng.randint(1, 24)]
    listed = ", ".join(words) or concept.name
    return rng.choice(LONG_TEMPLATES).format(concept.name, listed), frozenset((concept.name,))
