"""What clients ask a server for: captions, each of them another, and small JPEGs."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from itertools import count, cycle
from pathlib import Path

from PIL import Image

__all__ = ["WORKLOADS", "captions", "inputs", "jpegs", "requests"]

PATH = "/v1/embeddings"
WORKLOADS = ("captions", "pictures", "half and half")
SIDE = 224

_PARTS = (
    ["small", "large", "old", "new", "red", "green", "blue", "white", "black", "wooden", "shiny"],
    ["cat", "dog", "horse", "boat", "train", "house", "tree", "bird", "bicycle", "child", "piano"],
    ["on a hill", "at the beach", "in a street", "by a window", "in a garden", "near a river"],
    ["in summer", "in winter", "at night", "at noon", "in the rain", "in the fog", "at sunset"],
    ["seen from far away", "in close up", "in black and white", "painted in oil"],
)


def captions(first: int = 0) -> Iterator[str]:
    """Captions of 15 to 20 tokens, none of them twice.

    Args:
        first: where to begin, so that two who ask do not ask for the same.
    """
    for number in count(first):
        rest, chosen = number, []
        for phrases in _PARTS:
            rest, at = divmod(rest, len(phrases))
            chosen.append(phrases[at])
        yield f"a photo of a {' '.join(chosen)} {rest}"


def jpegs(folder: Path) -> list[bytes]:
    """The photographs of a folder as files of 224 x 224 pixels."""
    return [_small(path) for path in sorted(folder.glob("*.jpg"))]


def _small(path: Path) -> bytes:
    with Image.open(path) as picture:
        side = min(picture.size)
        part = picture.convert("RGB").resize((SIDE, SIDE), box=(0, 0, side, side))
    buffer = io.BytesIO()
    part.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def inputs(workload: str, pictures: list[bytes], first: int = 0) -> Iterator[str | bytes]:
    """What is asked for, one after the other, without an end."""
    texts, files = captions(first), cycle(pictures[first % len(pictures) :] + pictures)
    if workload == "captions":
        yield from texts
    elif workload == "repeated captions":
        yield from cycle([next(texts)])
    elif workload == "pictures":
        yield from files
    else:
        while True:
            yield next(texts)
            yield next(files)


def request(wanted: str | bytes) -> bytes:
    """The POST as the `openai` package would send it, whole: base64 is what it asks for."""
    if isinstance(wanted, bytes):
        url = f"data:image/jpeg;base64,{base64.b64encode(wanted).decode()}"
        value: object = [{"type": "image_url", "image_url": {"url": url}}]
    else:
        value = wanted
    body = json.dumps({"input": value, "encoding_format": "base64"}).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def requests(workload: str, pictures: list[bytes], first: int = 0) -> Iterator[bytes]:
    """The requests for these inputs; those of pictures are made before the first is given."""
    made = {picture: request(picture) for picture in pictures}
    for wanted in inputs(workload, pictures, first):
        yield made[wanted] if isinstance(wanted, bytes) else request(wanted)
