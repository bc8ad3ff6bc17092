"""Many inputs as requests of a size that the server takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from snaplink.errors import ArgumentError, PictureError, RefusedError, ServerError

from .pictures import AnyPicture, as_url, path_of, several

__all__ = ["Input", "Most", "Parcel", "halves", "named_in", "of_pictures", "of_texts", "parcels"]


@dataclass
class Most:
    """What is sent in a request at most.

    Attributes:
        inputs: the server makes its batches itself, and a lost answer costs little.
        text: characters of texts; the server takes a little more.
        base64: characters of pictures; half of what the server takes by default.
    """

    inputs: int = 64
    text: int = 400_000
    base64: int = 32 * 2**20


@dataclass(frozen=True)
class Input:
    """A text or a picture.

    Attributes:
        name: what an error calls it.
        value: the text, or the picture as a URL.
        is_picture: which of them.
        path: of a picture that was given as one.
    """

    name: str
    value: str
    is_picture: bool = False
    path: str | None = None

    @property
    def part(self) -> dict[str, object]:
        """As `/v1/embeddings` takes it; a text that looks like a data URL stays a text."""
        if self.is_picture:
            return {"type": "image_url", "image_url": {"url": self.value}}
        return {"type": "text", "text": self.value}

    def refused(self, error: ServerError) -> PictureError | RefusedError:
        """The server's complaint of this input, with the name that the caller knows it by."""
        problem = error.problem.removeprefix(error.param or "").lstrip(": ")
        if self.is_picture:
            return PictureError(self.name, problem)
        return RefusedError(
            f"{self.name}: {problem}",
            status=error.status,
            problem=problem,
            param=error.param,
            code=error.code,
        )


Parcel = tuple[Input, ...]
"""Inputs that are sent together."""


def of_texts(texts: str | Iterable[str]) -> Iterator[Input]:
    """Texts as inputs.

    Raises:
        ArgumentError: one is none.
    """
    for position, text in enumerate([texts] if isinstance(texts, str) else texts):
        if not isinstance(text, str):
            raise ArgumentError(f"text {position} is no string but {type(text).__name__}")
        yield Input(f"text {position}", text)


def of_pictures(pictures: AnyPicture | Iterable[AnyPicture]) -> Iterator[Input]:
    """Pictures as inputs, each read when its turn comes.

    Raises:
        PictureError: a file cannot be read.
    """
    for position, picture in enumerate(several(pictures)):
        path = path_of(picture)
        name = path or f"picture {position}"
        yield Input(name, as_url(picture, name), is_picture=True, path=path)


def parcels(inputs: Iterable[Input], most: Most) -> Iterator[Parcel]:
    """Inputs in their order, as many together as may be sent.

    Args:
        inputs: each is taken when its turn comes.
        most: may become less meanwhile.

    >>> [len(parcel) for parcel in parcels(of_texts(["one", "two", "three"]), Most(inputs=2))]
    [2, 1]
    >>> [len(parcel) for parcel in parcels(of_texts(["one", "two", "three"]), Most(text=7))]
    [2, 1]
    """
    waiting, characters = list[Input](), 0
    for each in inputs:
        room = most.base64 if each.is_picture else most.text
        too_large = characters + len(each.value) > room
        if waiting and (len(waiting) >= most.inputs or too_large):
            yield tuple(waiting)
            waiting, characters = [], 0
        waiting.append(each)
        characters += len(each.value)
    if waiting:
        yield tuple(waiting)


def halves(parcel: Parcel) -> tuple[Parcel, Parcel]:
    """The same in two."""
    middle = len(parcel) // 2
    return parcel[:middle], parcel[middle:]


def named_in(error: ServerError, parcel: Parcel) -> Input | None:
    """The input that the server complains of, by its place in what was sent; None of all of it.

    >>> parcel = tuple(of_texts(["a cat", "a dog"]))
    >>> named_in(RefusedError("too long", param="input[1]"), parcel).name
    'text 1'
    """
    found = re.fullmatch(r"(?:input|pictures)(?:\[(\d+)\])?", error.param or "")
    if not found or (found[1] is None and len(parcel) > 1):
        return None
    place = int(found[1] or 0)
    return parcel[place] if place < len(parcel) else None
