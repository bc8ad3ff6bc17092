"""A folder of JPEG photographs of many sizes, cut out of scikit-learn's two:

python photos.py openai/CLIP FOLDER COUNT
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

LONGER_SIDE = (640, 1280)


def photograph(chance: random.Random, originals: list[Image.Image]) -> Image.Image:
    """A part of an original, enlarged to the size of what lies on people's disks."""
    original = chance.choice(originals)
    share = chance.uniform(0.5, 1)
    width, height = (round(side * share) for side in original.size)
    left = chance.randint(0, original.width - width)
    upper = chance.randint(0, original.height - height)
    part = original.crop((left, upper, left + width, upper + height))
    if chance.random() < 0.5:
        part = ImageOps.mirror(part)
    scale = chance.randint(*LONGER_SIDE) / max(part.size)
    part = part.resize((round(part.width * scale), round(part.height * scale)), Image.LANCZOS)
    return part.rotate(90, expand=True) if chance.random() < 0.3 else part


def main() -> None:
    folder, count = Path(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(exist_ok=True)
    originals = [Image.fromarray(each) for each in load_sample_images().images]
    for number in range(count):
        path = folder / f"{number:05}.jpg"
        if not path.exists():
            unfinished = path.with_suffix(".part")
            photograph(random.Random(number), originals).save(unfinished, "JPEG", quality=90)
            unfinished.replace(path)
    print(json.dumps({"files": count}))


if __name__ == "__main__":
    main()
