"""Photographs in JPEG files to the model's pixels on one core, in a process of its own:

    python preprocess_once.py CONTENDER exact|bulk FOLDER

Prints the milliseconds of a picture by size, and keeps its bytes before they are normalised in
FOLDER. The files are made by whoever comes first.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from contenders import prepare
from PIL import Image

SIDE = 224
QUALITY = 90
SIZES = {"1000 x 750": 40, "4000 x 3000": 5}  # and how often each picture is read
PHOTOGRAPHS = ("china.jpg", "flower.jpg")


def files(folder: Path, size: str) -> list[bytes]:
    """scikit-learn's photographs, cut to 4:3 and enlarged, as JPEG files."""
    return [_file(folder / f"{size} {name}", size, name) for name in PHOTOGRAPHS]


def _file(path: Path, size: str, name: str) -> bytes:
    if not path.exists():
        from sklearn.datasets import load_sample_image

        photograph = Image.fromarray(load_sample_image(name))
        width, height = map(int, size.split(" x "))
        part = photograph.crop((0, 0, photograph.height * 4 // 3, photograph.height))
        large = part.resize((width, height), Image.Resampling.LANCZOS)
        large.save(path, "JPEG", quality=QUALITY)
    return path.read_bytes()


def ways(how: str) -> tuple[Callable[[bytes], Any], Callable[[bytes], np.ndarray]]:
    """A file's bytes to what the model takes; and to its bytes before they are normalised."""
    import torch

    import clip.clip

    torch.set_num_threads(1)
    preprocess = clip.clip._transform(SIDE)
    if how == "exact":
        resize, crop, to_rgb, *_ = preprocess.transforms
        return (
            lambda file: preprocess(Image.open(io.BytesIO(file))),
            lambda file: np.array(to_rgb(crop(resize(Image.open(io.BytesIO(file)))))),
        )
    from clip.bulk import BulkPreprocess

    bulk = BulkPreprocess.of(preprocess)
    assert bulk is not None
    return (
        lambda file: bulk.normalize(bulk(file)),
        lambda file: bulk(file).permute(1, 2, 0).numpy(),
    )


def least_milliseconds(work: Callable[[bytes], Any], file: bytes, times: int) -> float:
    def once() -> float:
        begin = time.perf_counter()
        work(file)
        return time.perf_counter() - begin

    return min(once() for _ in range(times)) * 1000


def main() -> None:
    contender, how, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    prepare(contender)
    work, seen = ways(how)
    figures, pictures = {}, []
    for size, times in SIZES.items():
        photographs = files(folder, size)
        each = [least_milliseconds(work, file, times) for file in photographs]
        figures[f"{size}, ms"] = sum(each) / len(each)
        pictures += [seen(file) for file in photographs]
    np.save(folder / f"{contender.partition('/')[0]} {how}.npy", np.stack(pictures))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
