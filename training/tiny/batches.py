"""Batches of pictures and captions, each a pure function of the seed and its number."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

import numpy as np
import pictures
import torch
import words
from augment import augment
from torch import Tensor

from clip.simple_tokenizer import SimpleTokenizer

SIZE = 256
SHORT, LONG = 20, 77  # context lengths
LONG_EVERY = 16  # batches
COLOUR_FROM = 1300  # from this batch on, pictures of one colour are drawn less often
ONE_COLOUR_SHARE = 0.35  # as often as others


@dataclass(frozen=True)
class Batch:
    images: Tensor  # float32 [n, 3, 64, 64]
    rows: Tensor  # int64 [n, length], rows of the trained vocabulary
    end: Tensor  # int64 [n], where the end-of-text token stands
    also_true: Tensor  # bool [n, n]: caption j is true of picture i as well, and is no negative
    concepts: Tensor  # int64 [n]
    named: Tensor  # float32 [n]: 1 where the caption names the concept itself


@cache
def tokenizer() -> SimpleTokenizer:
    return SimpleTokenizer()


@cache
def tokens(text: str) -> tuple[int, ...]:
    return tuple(tokenizer().encode(text))


class Vocabulary:
    """The token ids that captions can hold, and the row of each in the trained table."""

    def __init__(self) -> None:
        texts = [fact for concept in words.concepts() for fact in concept.facts]
        texts += [*words.COLOURS, *words.DIGITS, *map(str, range(10)), *words.ENDINGS, "an", ","]
        texts += [*words.TEMPLATES, *words.DIGIT_TEMPLATES, *words.LONG_TEMPLATES]
        ids = {token for text in texts for token in tokens(text.replace("{}", " "))}
        encoder = tokenizer().encoder
        self.start, self.end = encoder["<|startoftext|>"], encoder["<|endoftext|>"]
        self.ids = sorted(ids | {self.start, self.end})
        self.row = {token: row for row, token in enumerate(self.ids, start=1)}  # row 0: unknown

    def __len__(self) -> int:
        return len(self.ids) + 1

    def encode(self, texts: list[str], length: int) -> tuple[Tensor, Tensor]:
        """Rows int64 [n, length], cut when too long, and the place of each end token [n]."""
        rows = torch.zeros(len(texts), length, dtype=torch.long)
        end = torch.zeros(len(texts), dtype=torch.long)
        for i, text in enumerate(texts):
            ids = (self.start, *tokens(text)[: length - 2], self.end)
            rows[i, : len(ids)] = torch.tensor([self.row.get(token, 0) for token in ids])
            end[i] = len(ids) - 1
        return rows, end


def truths(listed: list[pictures.Picture]) -> tuple[np.ndarray, dict[str, int]]:
    """What is true of each picture: bool [pictures, facts], and the column of each fact."""
    facts = sorted({fact for concept in words.concepts() for fact in concept.facts})
    column = {fact: i for i, fact in enumerate([*facts, *sorted({*words.COLOURS} - {*facts})])}
    true = np.zeros((len(listed), len(column)), bool)
    for row, picture in zip(true, listed, strict=True):
        for fact in words.concepts()[picture.concept].facts.union(picture.colours):
            row[column[fact]] = True
    return true, column


class Batches:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.vocabulary = Vocabulary()
        listed, self.pixels = pictures.load(*pictures.FAMILY, "digits")
        self.pictures = listed
        self.facts, self.fact_column = truths(listed)
        self.of_concept: dict[int, list[int]] = {}
        for i, picture in enumerate(listed):
            if picture.split == "train":
                self.of_concept.setdefault(picture.concept, []).append(i)
        known = words.concepts()
        self.digits = [i for i in self.of_concept if known[i].group == 10]
        self.drawn = [i for i in self.of_concept if known[i].group != 10]
        weights = np.array([known[i].weight for i in self.drawn])
        self.weights = weights / weights.sum()

    def __getitem__(self, number: int) -> Batch:
        """One picture each of `SIZE` distinct concepts, the ten digits always among them."""
        rng = random.Random(f"{self.seed} {number}")
        draw = np.random.default_rng((self.seed, number))
        chosen = draw.choice(self.drawn, SIZE - 10, replace=False, p=self.weights)
        owners = [*chosen.tolist(), *self.digits]
        shown = [self.picture(owner, number, rng) for owner in owners]
        long = number % LONG_EVERY == LONG_EVERY - 1
        captions = [self.caption(picture, long, rng) for picture in shown]
        rows, end = self.vocabulary.encode([text for text, _ in captions], LONG if long else SHORT)
        claims = [claimed for _, claimed in captions]
        return Batch(
            images=self.images(shown, number),
            rows=rows,
            end=end,
            also_true=self.also_true(shown, claims),
            concepts=torch.tensor(owners),
            named=torch.tensor(
                [words.concepts()[o].name in c for o, c in zip(owners, claims, strict=True)]
            ).float(),
        )

    def picture(self, concept: int, number: int, rng: random.Random) -> int:
        choices = self.of_concept[concept]
        if number < COLOUR_FROM:
            return rng.choice(choices)
        plain = [self.pictures[i].style in pictures.ONE_COLOUR for i in choices]
        return rng.choices(choices, [ONE_COLOUR_SHARE if p else 1.0 for p in plain])[0]

    def caption(self, i: int, long: bool, rng: random.Random) -> tuple[str, frozenset[str]]:
        picture = self.pictures[i]
        concept = words.concepts()[picture.concept]
        if long:
            return words.long_caption(concept, rng)
        return words.caption(concept, next(iter(picture.colours), None), rng)

    def images(self, shown: list[int], number: int) -> Tensor:
        seen = [self.pictures[i] for i in shown]
        mirrors = torch.tensor([words.concepts()[p.concept].mirrors for p in seen])
        one_colour = {*pictures.ONE_COLOUR, "digits"}
        tinted = torch.tensor([p.style in one_colour for p in seen])
        return augment(self.pixels[shown], mirrors, tinted, self.seed * 1_000_003 + number)

    def also_true(self, shown: list[int], claims: list[frozenset[str]]) -> Tensor:
        known = self.facts[shown]
        columns = [[self.fact_column[fact] for fact in claimed] for claimed in claims]
        true = np.stack([known[:, column].all(1) for column in columns], axis=1)
        np.fill_diagonal(true, False)
        return torch.from_numpy(true)
