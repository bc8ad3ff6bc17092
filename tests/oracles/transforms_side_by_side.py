"""Our transforms beside torchvision's, openai/CLIP's and open_clip's, in one process of the peers.

Ours are imported as the package `ours`, because there the name `clip` is openai/CLIP's. Results
are compared bit for bit, and so are the types of the errors and the printed forms.
"""

from __future__ import annotations

import importlib
import itertools
import pickle
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..golden.pictures import MODES, picture

SIDE = 24
SIZES = [(24, 24), (25, 23), (60, 45), (1, 9), (13, 1), (1, 1), (40, 3), (64, 24)]
INTERPOLATIONS = [0, 2, 3, 1, 4, 5]  # PIL's numbers: nearest, bilinear, bicubic, …
RESIZES: list[dict[str, Any]] = [
    {"size": 24},
    {"size": [10]},
    {"size": (7, 30)},
    {"size": 20, "max_size": 31},
    {"size": 24, "antialias": False},
    {"size": 24, "antialias": None},
]
CROPS: list[Any] = [24, (24,), (5, 40), [64, 2], 1]
NORMALISATIONS: list[Any] = [
    ((0.4, 0.5, 0.6), (0.2, 0.3, 0.25)),
    ([1, 2, 3], [4, 5, 6]),
    (0.5, 0.5),
    ((0, 0, 0), (1, 0, 1)),
]
INTEGERS = [torch.uint8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.bool]
FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


def import_ours() -> tuple[Any, Any]:
    """Our `preprocess` and `transforms`, wherever `clip` leads."""
    package = sys.modules["ours"] = types.ModuleType("ours")
    package.__path__ = [str(Path(__file__).parents[2] / "src" / "clip")]
    return importlib.import_module("ours.preprocess"), importlib.import_module("ours.transforms")


class Comparison:
    def __init__(self) -> None:
        self.compared: Counter[str] = Counter()
        self.differ: list[str] = []

    def __call__(self, topic: str, ours: Callable, theirs: Callable, thing: Any) -> None:
        self.compared[topic] += 1
        if _result(ours, thing) != _result(theirs, thing):
            self.differ.append(f"{topic}: {theirs!r} of {_described(thing)}")

    def printed(self, ours: Any, theirs: Any) -> None:
        if repr(ours) != repr(theirs):
            self.differ.append(f"{ours!r} is printed otherwise: {theirs!r}")


def _result(function: Callable, thing: Any) -> object:
    try:
        value = function(thing)
    except Exception as error:
        return type(error)
    if isinstance(value, Image.Image):
        return value.mode, value.size, value.tobytes(), value.mode == "P" and value.getpalette()
    return value.dtype, value.shape, value.contiguous().flatten().view(torch.uint8).tolist()


def _described(thing: Any) -> str:
    if isinstance(thing, Image.Image):
        return f"{thing.mode} {thing.size}"
    return f"{thing.dtype} {tuple(thing.shape)}"


def tensors(width: int, height: int) -> Iterator[torch.Tensor]:
    chance = torch.Generator().manual_seed(width * 1000 + height)
    for dtype in INTEGERS:
        top = 2 if dtype == torch.bool else 256
        yield torch.randint(0, top, (3, height, width), generator=chance).to(dtype)
    for dtype in FLOATS:
        yield torch.rand(3, height, width, generator=chance).to(dtype)
    for shape in [(height, width), (2, 3, height, width), (1, 2, 3, height, width)]:
        yield torch.rand(shape, generator=chance)


def compare_shaping(compare: Comparison, ours: Any, theirs: Any) -> None:
    steps = [(lib.CenterCrop(size) for lib in (ours, theirs)) for size in CROPS]
    for arguments, interpolation in itertools.product(RESIZES, INTERPOLATIONS):
        steps.append(lib.Resize(**arguments, interpolation=interpolation) for lib in (ours, theirs))
    for our_step, their_step in steps:
        name = type(their_step).__name__
        compare.printed(our_step, their_step)
        for size in SIZES:
            for mode in MODES:
                compare(name, our_step, their_step, picture(mode, *size))
            for tensor in tensors(*size):
                compare(f"{name} of tensors", our_step, their_step, tensor)


def compare_to_tensor(compare: Comparison, ours: Any, theirs: Any) -> None:
    for mode, size in itertools.product(MODES, SIZES):
        compare("ToTensor", ours.ToTensor(), theirs.ToTensor(), picture(mode, *size))
    for dtype in ["u1", "i2", "i4", "i8", "f4", "f8", "u2", "?"]:
        for shape in [(4,), (4, 5), (4, 5, 1), (4, 5, 3), (4, 5, 3, 2)]:
            array = (np.arange(np.prod(shape)).reshape(shape) % 251).astype(dtype)
            compare("ToTensor", ours.ToTensor(), theirs.ToTensor(), array)


def compare_normalize(compare: Comparison, ours: Any, theirs: Any) -> None:
    for mean, std in NORMALISATIONS:
        our_step, their_step = ours.Normalize(mean, std), theirs.Normalize(mean, std)
        compare.printed(our_step, their_step)
        for thing in [*tensors(6, 5), picture("RGB", 4, 4)]:
            compare("Normalize", our_step, their_step, thing)


def compare_pipelines(compare: Comparison, pipelines: dict[Any, Any], openai: Any) -> None:
    from open_clip.transform import image_transform

    for config, pipeline in pipelines.items():
        expected = openai
        if config != "openai":
            image_size, resize_mode, interpolation = config
            expected = image_transform(
                image_size,
                is_train=False,
                resize_mode=resize_mode,
                interpolation=interpolation,
                fill_color=9,
            )
        for mode, size in itertools.product(MODES, SIZES):
            compare("pipelines", pipeline, expected, picture(mode, *size))


def compare_slices(compare: Comparison, ours: Any, openai: Any) -> None:
    import torchvision.transforms as theirs

    our_slice, their_slice = (
        theirs.Compose(steps.transforms[:2] + steps.transforms[4:]) for steps in (ours, openai)
    )
    for size in SIZES:
        for tensor in tensors(*size):
            compare("slices", our_slice, their_slice, tensor)


def make_pipelines(preprocess: Any) -> dict[Any, Any]:
    """Pipelines of ours by (size, resize mode, interpolation), and "openai"."""
    configs = itertools.product(
        [SIDE, (16, 30)], ["shortest", "longest", "squash"], ["bicubic", "bilinear"]
    )
    pipelines = {
        (size, mode, interpolation): preprocess.transform(
            size, resize_mode=mode, interpolation=interpolation, fill_color=9
        )
        for size, mode, interpolation in configs
    }
    del pipelines[(16, 30), "shortest", "bilinear"]  # open_clip 3.3.0 takes bicubic there
    return {"openai": preprocess.transform(SIDE), **pipelines}


def compare_all() -> dict[str, Any]:
    """What was compared how often, what differs, and what `transform` is beside torchvision."""
    torch.set_num_threads(1)
    preprocess, ours = import_ours()
    assert "torchvision" not in sys.modules
    pipelines = make_pipelines(preprocess)
    assert all(type(pipeline) is ours.Compose for pipeline in pipelines.values())

    import torchvision.transforms as theirs

    from clip.clip import _transform

    compare, openai = Comparison(), _transform(SIDE)
    compare_shaping(compare, ours, theirs)
    compare_to_tensor(compare, ours, theirs)
    compare_normalize(compare, ours, theirs)
    compare_pipelines(compare, pipelines, openai)
    compare_slices(compare, pipelines["openai"], openai)

    beside = preprocess.transform(SIDE)
    for our_step, their_step in zip(beside.transforms, openai.transforms, strict=True):
        if our_step is not preprocess.to_rgb:
            compare.printed(our_step, their_step)
    compare("pickled", pickle.loads(pickle.dumps(beside)), openai, picture("RGB", 50, 40))
    same = theirs.Resize(SIDE, interpolation=pipelines["openai"].transforms[0].interpolation)
    compare.printed(same, openai.transforms[0])
    return {
        "compared": dict(compare.compared),
        "differ": compare.differ,
        "homes": [type(thing).__module__ for thing in [beside, *beside.transforms]],
    }
