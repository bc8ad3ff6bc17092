"""Pictures in bulk come out as `preprocess` makes them, up to 1/255."""

from __future__ import annotations

import io
import pickle
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

import clip
from clip import lent_pixels
from clip.bulk import BulkPreprocess
from clip.preprocess import compose, openai_steps, transform
from clip.transforms import Compose, Normalize, Resize, ToTensor

from ..golden.pictures import MODES, picture

RESIZE_MODES = ["shortest", "longest", "squash"]
EXACT_MODES = sorted({*MODES} - {"La", "RGB", "RGB with transparency"})


def exact(preprocess, image):
    """The bytes of a picture before they are normalised."""
    *steps, _, _ = preprocess.transforms
    return torch.from_numpy(np.array(Compose(steps)(image))).permute(2, 0, 1)


def difference(preprocess, image):
    pixels = BulkPreprocess.of(preprocess)(image)
    expected = exact(preprocess, image)
    assert (pixels.dtype, pixels.shape) == (torch.uint8, expected.shape)
    assert pixels.is_contiguous()
    return (pixels.int() - expected.int()).abs()


def photograph(width, height, seed=0, blur=8):
    """Smooth shades, sharp edges and some grain."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (height // blur + 2, width // blur + 2, 3), dtype=np.uint8)
    shades = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    grain = random.normal(0, 3, (height, width, 3))
    pixels = np.clip(np.asarray(shades) + grain, 0, 255).astype(np.uint8)
    pixels[height // 3 : height // 2] = 255 - pixels[height // 3 : height // 2]
    return Image.fromarray(pixels)


# -- how close it comes ------------------------------------------------------------------------


@given(
    width=st.integers(1, 120),
    height=st.integers(1, 120),
    size=st.sampled_from([8, 32, (20, 30)]),
    resize_mode=st.sampled_from(RESIZE_MODES),
    interpolation=st.sampled_from(["bicubic", "bilinear", "nearest", "lanczos"]),
    blur=st.sampled_from([1, 4, 30]),
    seed=st.integers(0, 99),
)
def test_it_comes_out_within_a_255th(width, height, size, resize_mode, interpolation, blur, seed):
    assume(max(width, height) < 12 * min(width, height))  # or Pillow refuses to make it so narrow
    preprocess = transform(
        size, resize_mode=resize_mode, interpolation=interpolation, fill_color=seed
    )
    far = difference(preprocess, photograph(width, height, seed, blur))
    assert far.max() <= 2
    assert far.gt(1).sum() <= 1  # one value in a million, says the documentation


@pytest.mark.parametrize("size", [(1000, 750), (750, 1000), (640, 480), (2400, 300), (300, 225)])
def test_photographs_come_out_within_a_255th(size):
    far = difference(transform(224), photograph(*size))
    assert far.max() == 1  # and torch's resize was at work
    assert far.float().mean() < 0.02


@pytest.mark.parametrize("mode", EXACT_MODES)
@pytest.mark.parametrize("size", [(60, 40), (5, 7), (1, 90)])
def test_other_modes_come_out_exactly(mode, size):
    assert difference(transform(16), picture(mode, *size)).max() == 0


def test_opaque_pictures_with_alpha_are_as_those_without():
    image = photograph(90, 60)
    bulk = BulkPreprocess.of(transform(16))
    assert torch.equal(bulk(image.convert("RGBA")), bulk(image))


@pytest.mark.parametrize("size", [(30, 20), (40, 32), (32, 40), (32, 32), (1, 1)])
def test_pictures_that_do_not_shrink_come_out_exactly(size):
    assert difference(transform(32), photograph(*size)).max() == 0


def test_pictures_of_more_than_one_piece():
    """Pillow lends no more than 16 MB at once."""
    image = photograph(2600, 1700, blur=50)
    with pytest.raises(ValueError, match="not contiguous"):
        image.__arrow_c_array__()
    assert difference(transform(64), image).max() == 1
    assert difference(transform(64), image.rotate(90, expand=True)).max() == 1
    image.putalpha(255)
    assert difference(transform(64), image).max() == 1
    image.putpixel((1300, 1600), (0, 0, 0, 0))
    assert difference(transform(64), image).max() == 0


def test_pillow_that_lends_nothing(monkeypatch):
    image = photograph(90, 60)
    bulk = BulkPreprocess.of(transform(16))
    expected = bulk(image)
    monkeypatch.delattr(Image.Image, "__arrow_c_array__")
    assert lent_pixels.pixels(image).shape == (60, 90, 3)
    assert torch.equal(bulk(image), expected)


def test_lent_pixels_outlive_the_picture():
    pixels = lent_pixels.pixels(photograph(50, 40))
    expected = np.asarray(photograph(50, 40))
    for _ in range(20):
        photograph(50, 40, seed=1)
    np.testing.assert_array_equal(pixels[..., :3], expected)


# -- what it takes -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "TIFF", "PPM"])
def test_the_bytes_of_a_file(form):
    file = io.BytesIO()
    photograph(90, 60).save(file, form)
    bulk = BulkPreprocess.of(transform(16))
    assert torch.equal(bulk(file.getvalue()), bulk(Image.open(file)))
    with pytest.raises(OSError, match="truncated"):
        bulk(file.getvalue()[:-500])


def test_the_picture_stays_as_it_was():
    image = photograph(90, 60)
    before = image.tobytes()
    BulkPreprocess.of(transform(16))(image).fill_(7)
    assert image.tobytes() == before


def test_normalised_pixels_are_those_of_preprocess():
    preprocess = transform(16, mean=(0.1, 0.5, 0.4), std=(0.3, 0.2, 1))
    bulk = BulkPreprocess.of(preprocess)
    images = [picture(mode, 40, 30) for mode in ("P", "L", "RGBA")]
    pixels = bulk.normalize(torch.stack([bulk(image) for image in images]))
    assert pixels.dtype == torch.float32
    assert torch.equal(pixels, torch.stack([preprocess(image) for image in images]))


def test_processes_and_threads_may_share_it():
    bulk = BulkPreprocess.of(transform(32))
    images = [photograph(100 + i, 80, seed=i) for i in range(12)]
    expected = [pickle.loads(pickle.dumps(bulk))(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        for pixels, wanted in zip(pool.map(bulk, images), expected, strict=True):
            assert torch.equal(pixels, wanted)


# -- which transforms it reads -----------------------------------------------------------------


def test_what_load_returns_is_read():
    preprocess = clip.load("tiny", device="cpu")[1]
    side = preprocess.transforms[0].size
    assert BulkPreprocess.of(preprocess)(photograph(300, 200)).shape == (3, side, side)


def test_it_is_of_the_transform_as_it_was():
    preprocess = transform(16)
    bulk = BulkPreprocess.of(preprocess)
    preprocess.transforms[0].size = 32
    preprocess.transforms[1].size = (8, 8)
    assert difference(transform(16), photograph(60, 40)).max() <= 1
    assert bulk(photograph(60, 40)).shape == (3, 16, 16)


def changed(place, *steps):
    every = openai_steps(16)
    every[place] = steps[0]
    return compose(every)


class OwnResize(Resize):
    pass


UNREADABLE = {
    "a function": lambda image: image,
    "a step too many": Compose([*openai_steps(16), abs]),
    "a step too few": Compose(openai_steps(16)[1:]),
    "no crop": Compose([Resize(16), *openai_steps(16)[2:]]),
    "a resize of ones own": changed(0, OwnResize(16)),
    "a step of ones own": changed(1, abs),
    "colours of ones own": changed(2, lambda image: image.convert("RGB")),
    "no bytes": changed(3, SimpleNamespace()),
    "a normalisation of ones own": changed(4, ToTensor()),
    "one channel": changed(4, Normalize([0.5], [0.5])),
    "nothing": None,
}


@pytest.mark.parametrize("preprocess", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_it_cannot_read_is_none(preprocess):
    assert BulkPreprocess.of(preprocess) is None


@pytest.mark.parametrize("change", ["alignment", "block_size"])
def test_pixels_are_copied_where_rows_lie_apart(change: str):
    before = getattr(Image.core, f"get_{change}")()
    getattr(Image.core, f"set_{change}")({"alignment": 64, "block_size": 4096}[change])
    try:
        image = photograph(90, 61).copy()
        assert np.array_equal(lent_pixels.pixels(image)[..., :3], np.array(image))
    finally:
        getattr(Image.core, f"set_{change}")(before)


def test_pictures_without_pixels_and_of_other_modes_are_copied_not_read_from_memory():
    assert lent_pixels.pixels(Image.new("RGB", (0, 5))).shape == (5, 0, 3)
    assert np.array_equal(lent_pixels.pixels(Image.new("L", (3, 2), 7)), np.full((2, 3), 7))
