"""Preprocessing: what torchvision's transforms give, with torchvision absent."""

from __future__ import annotations

import io
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from clip import transforms
from clip.preprocess import BICUBIC, compose, openai_steps, to_rgb, transform
from clip.transforms import CenterCrop, CenterCropOrPad, Compose, Normalize, Resize, ToTensor

from ..golden.pictures import MODES, picture

SIDE = 8
with np.load(Path(__file__).parents[1] / "golden" / "preprocess.npz") as arrays:
    GOLDEN = dict(arrays)


@pytest.fixture(autouse=True)
def _without_torchvision(monkeypatch):
    monkeypatch.delitem(sys.modules, "torchvision.transforms", raising=False)


# -- what openai/CLIP makes of a picture -------------------------------------------------------


@pytest.mark.parametrize("case", GOLDEN)
def test_tensors_are_openais(case):
    mode, _, size = case.rpartition(" ")
    width, height = map(int, size.split("x"))
    tensor = transform(SIDE)(picture(mode, width, height))
    assert tensor.dtype == torch.float32
    np.testing.assert_array_equal(tensor.numpy(), GOLDEN[case])


def test_every_mode_is_tried():
    assert {case.rpartition(" ")[0] for case in GOLDEN} == {*MODES} - {"La"}
    with pytest.raises(ValueError, match="conversion"):
        transform(SIDE)(picture("La", 10, 10))


def test_orientation_of_a_photo_is_ignored():
    """As in openai/CLIP, which takes the pixels as they are stored."""
    plain, tagged = io.BytesIO(), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = picture("RGB", 30, 20)
    photo.save(plain, "JPEG")
    photo.save(tagged, "JPEG", exif=exif)
    assert plain.getvalue() != tagged.getvalue()
    tensors = [transform(SIDE)(Image.open(file)) for file in (plain, tagged)]
    assert torch.equal(*tensors)


# -- the pipeline and its parts ----------------------------------------------------------------


def test_openais_five_steps():
    resize, crop, rgb, tensor, normalize = compose(openai_steps(224)).transforms
    assert (resize.size, resize.interpolation) == (224, BICUBIC)
    assert tuple(crop.size) == (224, 224)
    assert rgb is to_rgb
    assert isinstance(tensor, ToTensor)
    assert normalize.mean == (0.48145466, 0.4578275, 0.40821073)
    assert normalize.std == (0.26862954, 0.26130258, 0.27577711)


def test_ones_own_step_to_rgb():
    def own(image):
        return image.convert("RGB")

    assert openai_steps(4, own)[2] is own
    assert transform(4, to_rgb=own).transforms[2] is own


def test_it_pickles():
    pipeline = transform(SIDE)
    again = pickle.loads(pickle.dumps(pipeline))
    image = picture("RGBA", 20, 30)
    assert torch.equal(again(image), pipeline(image))
    assert repr(again) == repr(pipeline)


def test_it_prints_as_torchvisions():
    function, *_ = repr(to_rgb).split(" at ")
    assert repr(transform(224)).splitlines()[:3] == [
        "Compose(",
        "    Resize(size=224, interpolation=bicubic, max_size=None, antialias=True)",
        "    CenterCrop(size=(224, 224))",
    ]
    assert f"    {function}" in repr(transform(224))
    assert repr(transform(224)).splitlines()[4:] == [
        "    ToTensor()",
        "    Normalize(mean=(0.48145466, 0.4578275, 0.40821073), "
        "std=(0.26862954, 0.26130258, 0.27577711))",
        ")",
    ]


def test_a_slice_runs_on_tensors():
    steps = transform(SIDE).transforms
    slice_ = Compose(steps[:2] + steps[4:])
    batch = torch.rand(2, 3, 20, 30, requires_grad=True)
    pixels = slice_(batch)
    assert pixels.shape == (2, 3, SIDE, SIDE)
    pixels.sum().backward()
    assert batch.grad.abs().sum() > 0
    sequence = nn.Sequential(steps[0], steps[1], steps[4])
    assert torch.equal(sequence(batch), pixels)


def test_tensors_come_out_close_to_pictures():
    image = picture("RGB", 40, 30)
    tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    shaped = Compose(transform(SIDE).transforms[:2])
    difference = shaped(tensor).int() - torch.from_numpy(np.array(shaped(image))).permute(2, 0, 1)
    assert shaped(tensor).dtype == torch.uint8
    assert difference.abs().max() <= 1


# -- resize ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "given", "expected"),
    [
        (10, (20, 30), (10, 15)),
        (10, (30, 20), (15, 10)),
        (224, (640, 480), (298, 224)),
        (224, (1, 7), (224, 1568)),
        ([10], (20, 30), (10, 15)),
        ((10, 20), (7, 7), (20, 10)),
    ],
)
def test_resize(size, given, expected):
    assert Resize(size)(Image.new("RGB", given)).size == expected
    assert Resize(size)(torch.zeros(3, *given[::-1])).shape == (3, *expected[::-1])


def test_resize_with_a_limit_for_the_longer_side():
    resize = Resize(10, max_size=12)
    assert resize(Image.new("L", (20, 40))).size == (6, 12)
    assert resize(Image.new("L", (40, 44))).size == (10, 11)
    with pytest.raises(ValueError, match="max_size = 10 must be greater"):
        Resize(10, max_size=10)(Image.new("L", (20, 40)))


def test_resize_gives_back_what_has_the_size():
    image, tensor = Image.new("RGB", (12, 10)), torch.zeros(3, 10, 12)
    assert Resize(10)(image) is image
    assert Resize(10)(tensor) is tensor


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.float16, torch.float64])
def test_resize_keeps_the_type_and_the_range(dtype):
    board = torch.tensor([0, 255]).repeat(4).expand(1, 8, 8).to(dtype)
    small = Resize(5, interpolation=BICUBIC)(board)
    assert small.dtype == dtype
    exact = Resize(5, interpolation=BICUBIC)(board.double())
    if dtype == torch.uint8:
        exact = exact.clamp(0, 255)
    tolerance = 0.5 + 1e-3 if not dtype.is_floating_point else 0.2
    assert (small.double() - exact).abs().max() <= tolerance


def test_resize_of_bytes_stays_within_bytes():
    """Bicubic weights overshoot at an edge: 0 and 255 must not come out as 249 and 6."""
    edge = torch.tensor([0, 0, 255, 255], dtype=torch.uint8).expand(1, 4, 4)
    overshot = Resize(12, interpolation=BICUBIC)(edge.float())
    assert overshot.min() < -1
    assert overshot.max() > 256
    expected = overshot.clamp(0, 255).round().to(torch.uint8)
    assert torch.equal(Resize(12, interpolation=BICUBIC)(edge), expected)


def test_resize_understands_every_way_to_name_the_interpolation():
    names = [BICUBIC, 3, "bicubic", SimpleNamespace(value="bicubic")]
    assert {Resize(4, interpolation=name).interpolation for name in names} == {BICUBIC}
    with pytest.raises(ValueError, match=r"one of nearest, .*bicubic.*, not 'cubic'"):
        Resize(4, interpolation="cubic")


@pytest.mark.parametrize("make", [Resize, CenterCrop])
def test_three_sizes_are_refused(make):
    with pytest.raises(ValueError, match="height, width"):
        make((1, 2, 3))


@pytest.mark.parametrize("step", [Resize(4), CenterCrop(4)])
def test_arrays_cannot_be_reshaped(step):
    with pytest.raises(TypeError, match="PIL image or a tensor"):
        step(np.zeros((8, 8, 3), np.uint8))


# -- centre crop -------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [(9, 9), (8, 8), (5, 5), (5, 9), (9, 4), (3, 8), (1, 1)])
def test_crop_of_pictures_and_tensors_is_the_same(given):
    image = picture("RGB", *given)
    tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    crop = CenterCrop((6, 8))
    assert crop(image).size == (8, 6)
    assert torch.equal(crop(tensor), torch.from_numpy(np.array(crop(image))).permute(2, 0, 1))


@pytest.mark.parametrize(("length", "first"), [(4, 1), (5, 2), (6, 2), (7, 2), (9, 4)])
def test_half_a_pixel_goes_to_the_even_side(length, first):
    """As torchvision's `round` does it."""
    line = torch.arange(length).expand(1, 2, length)
    assert CenterCrop(2)(line)[0, 0].tolist() == [first, first + 1]


def test_crop_pads_around_the_middle():
    assert CenterCrop(4)(torch.ones(1, 1, 1)).tolist() == [
        [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    ]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F"])
def test_padding_works_in_every_mode(mode):
    padded = CenterCrop((6, 7))(picture(mode, 3, 4))
    assert (padded.mode, padded.size) == (mode, (7, 6))
    assert padded.crop((2, 1, 5, 5)).convert("RGB") == picture(mode, 3, 4).convert("RGB")


# -- to tensor, normalise ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "dtype", "channels"),
    [
        ("1", torch.float32, 1),
        ("L", torch.float32, 1),
        ("P", torch.float32, 1),
        ("LA", torch.float32, 2),
        ("RGB", torch.float32, 3),
        ("CMYK", torch.float32, 4),
        ("I", torch.int32, 1),
        ("I;16", torch.int16, 1),
        ("F", torch.float32, 1),
    ],
)
def test_pictures_to_tensors(mode, dtype, channels):
    image = picture(mode, 5, 3)
    tensor = ToTensor()(image)
    assert tensor.shape == (channels, 3, 5)
    assert tensor.dtype == dtype
    pixels = np.array(image).reshape(3, 5, channels).transpose(2, 0, 1).astype(np.float64)
    scale = {"1": 1, "I": 1, "I;16": 1, "F": 1}.get(mode, 255)
    np.testing.assert_allclose(tensor.double() % 65_536, pixels / scale, rtol=1e-6)


def test_arrays_to_tensors():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    np.testing.assert_array_equal(ToTensor()(pixels) * 255, pixels.transpose(2, 0, 1))
    assert ToTensor()(pixels[..., 0]).shape == (1, 2, 4)
    assert ToTensor()(pixels.astype(np.float64)).dtype == torch.float64
    with pytest.raises(ValueError, match="Got 4 dimensions"):
        ToTensor()(pixels[None])
    with pytest.raises(TypeError, match="PIL Image or ndarray"):
        ToTensor()(torch.zeros(3, 2, 4))


def test_normalize():
    step = Normalize((1, 2), (0.5, 4))
    pixels = torch.ones(3, 2, 1, 1)
    assert step(pixels)[0].flatten().tolist() == [0, -0.25]
    assert pixels.eq(1).all()
    assert Normalize((1, 2), (0.5, 4), inplace=True)(pixels) is pixels
    assert pixels[0].flatten().tolist() == [0, -0.25]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (Image.new("RGB", (2, 2)), TypeError),
        (torch.zeros(2, 2, 2, dtype=torch.uint8), TypeError),
        (torch.zeros(2, 2), ValueError),
    ],
)
def test_normalize_refuses(wrong, error):
    with pytest.raises(error):
        Normalize((0, 0), (1, 1))(wrong)


def test_normalize_refuses_to_divide_by_zero():
    with pytest.raises(ValueError, match="zero"):
        Normalize((0,), (0,))(torch.zeros(1, 1, 1))


# -- configs -----------------------------------------------------------------------------------


def shown(image, **config):
    """The picture that a model with this config sees, as bytes [height, width]."""
    pixels = transform(**config, mean=(0, 0, 0), std=(1, 1, 1))(image)[0] * 255
    return pixels.round().to(torch.uint8)


def test_shortest_crops_longest_pads_squash_does_neither():
    stripes = Image.new("L", (40, 20), 200)
    stripes.paste(0, (0, 0, 8, 20))
    shortest = shown(stripes, image_size=10, resize_mode="shortest")
    longest = shown(stripes, image_size=10, resize_mode="longest", fill_color=77)
    squash = shown(stripes, image_size=10, resize_mode="squash")
    assert shortest.shape == longest.shape == squash.shape == (10, 10)
    assert shortest[:, 1:].eq(200).all()  # the stripe is cut off
    assert longest[[0, 1, -3, -2, -1]].eq(77).all()
    assert longest[5, 0] < 20
    assert longest[5, -1] == 200
    assert squash[:, 0].max() < 20
    assert squash[0, -1] == squash[-1, -1] == 200


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
def test_sizes_that_are_not_square(mode):
    tensor = transform((6, 10), resize_mode=mode)(picture("RGB", 33, 17))
    assert tensor.shape == (3, 6, 10)


def test_interpolation_by_name():
    image = picture("L", 20, 20)
    smooth = shown(image, image_size=7, interpolation="bilinear")
    expected = np.array(image.resize((7, 7), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(smooth, expected)


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="shortest, longest or squash, not 'fill'"):
        transform(8, resize_mode="fill")


@pytest.mark.parametrize("mode", ["P", "RGBA", "1", "I"])
def test_padding_has_a_colour(mode):
    padded = CenterCropOrPad(6, fill=1)(picture(mode, 3, 3))
    corner = np.array(padded)[0, 0]
    assert np.all(corner == 1)


# -- beside torchvision ------------------------------------------------------------------------


@pytest.fixture
def torchvision(monkeypatch):
    """Stands in for torchvision as the caller has loaded it: other classes, same behaviour."""
    names = ["Compose", "Resize", "CenterCrop", "ToTensor", "Normalize"]
    theirs = {name: type(name, (getattr(transforms, name),), {}) for name in names}
    module = SimpleNamespace(**theirs)
    monkeypatch.setitem(sys.modules, "torchvision.transforms", module)
    return module


def test_torchvisions_own_classes_serve_where_it_is_loaded(torchvision):
    pipeline = compose(openai_steps(SIDE))
    assert type(pipeline) is torchvision.Compose
    kinds = [type(step) for step in pipeline.transforms if step is not to_rgb]
    assert kinds == [
        torchvision.Resize,
        torchvision.CenterCrop,
        torchvision.ToTensor,
        torchvision.Normalize,
    ]
    assert type(transform(SIDE, resize_mode="longest")) is torchvision.Compose


def test_torchvision_half_loaded_is_left_alone(torchvision):
    del torchvision.Normalize
    assert type(compose(openai_steps(SIDE))) is Compose
