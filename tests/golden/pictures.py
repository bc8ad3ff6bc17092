"""Pictures of noise in every mode of PIL, the same on every machine."""

from __future__ import annotations

import numpy as np
from PIL import Image

CHANNELS = {
    **dict.fromkeys(["L", "P"], 1),
    **dict.fromkeys(["LA", "La", "PA"], 2),
    **dict.fromkeys(["RGB", "YCbCr", "LAB", "HSV"], 3),
    **dict.fromkeys(["RGBA", "RGBa", "RGBX", "CMYK"], 4),
}
ARRAY_MODES = {"I": "<i4", "F": "<f4", "I;16": "<u2"}
MODES = ("1", *CHANNELS, *ARRAY_MODES, "P with transparency", "RGB with transparency")


def picture(mode: str, width: int, height: int) -> Image.Image:
    """A picture of noise; palettes are noise, too."""
    noise = np.random.RandomState(width * 1009 + height)
    mode, _, transparent = mode.partition(" with ")
    if mode == "1":
        image = Image.fromarray(noise.randint(0, 2, (height, width)).astype(bool))
    elif mode in ARRAY_MODES:
        top = 256 if mode in ("I", "F") else 65_536
        array = noise.randint(0, top, (height, width)).astype(ARRAY_MODES[mode])
        image = Image.frombytes(mode, (width, height), array.tobytes())
    else:
        size = height * width * CHANNELS[mode]
        image = Image.frombytes(mode, (width, height), noise.bytes(size))
    if mode in ("P", "PA"):
        image.putpalette(noise.bytes(768))
    if transparent:
        image.info["transparency"] = 3 if mode == "P" else (1, 2, 3)
    return image
