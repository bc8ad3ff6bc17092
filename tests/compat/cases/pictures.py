"""`preprocess`: its steps, their attributes, every mode and size, pickles and Compose."""

from __future__ import annotations

import pickle

import numpy as np
import torch
from PIL import Image

MODES = [
    "RGB",
    "L",
    "1",
    "P",
    "RGBA",
    "LA",
    "CMYK",
    "YCbCr",
    "HSV",
    "LAB",
    "I",
    "F",
    "I;16",
    "PA",
    "La",
]
SIZES = [
    (150, 97),
    (97, 150),
    (64, 64),
    (63, 300),
    (1, 1),
    (500, 3),
    (65, 64),
    (224, 224),
    (64, 65),
]


def _loaded(clip, kit):
    return clip.load(kit.vit, device="cpu")[1]


def _picture(kit, mode):
    if mode in ("I;16", "PA", "La"):
        base = {"I;16": "L", "PA": "P", "La": "LA"}[mode]
        picture = kit.picture("RGBA").convert("LA") if base == "LA" else kit.picture(base)
        return picture.convert(mode)
    return kit.picture("RGB").convert(mode) if mode != "LAB" else _lab(kit)


def _lab(kit):
    return Image.frombytes("LAB", (150, 97), kit.picture("RGB").tobytes())


def every_mode(clip, kit):
    """Pictures of any of Pillow's modes; a mode that the original refuses is refused."""
    preprocess, results = _loaded(clip, kit), {}
    for mode in MODES:
        try:
            results[mode] = preprocess(_picture(kit, mode))[:, ::5, ::5]
        except Exception as error:
            results[mode] = type(error).__name__
    return results


def every_size(clip, kit):
    """Landscape, portrait, square, thin and tiny pictures, to several resolutions."""
    results = {}
    for resolution in (64, 224, 7):
        transform = clip.clip._transform(resolution)
        for size in SIZES:
            pixels = transform(kit.picture("RGB", size))
            step = 1 if resolution == 7 else 9
            results[f"{size} to {resolution}"] = pixels[:, ::step, ::step]
            results[f"{size} to {resolution} shape"] = [*pixels.shape, str(pixels.dtype)]
    return results


def rotated_by_exif(clip, kit):
    """EXIF orientation is ignored, as the original does."""
    picture = kit.picture("RGB", (80, 50))
    exif = picture.getexif()
    exif[0x0112] = 6
    path = kit.folder / "rotated.png"
    picture.save(path, exif=exif)
    with Image.open(path) as read:
        return {"pixels": _loaded(clip, kit)(read)[:, ::5, ::5]}


def steps(clip, kit):
    """The five steps and the attributes that callers read."""
    preprocess = _loaded(clip, kit)
    resize, crop, to_rgb, to_tensor, normalise = preprocess.transforms
    return {
        "kinds": [type(step).__name__ for step in preprocess.transforms],
        "compose": type(preprocess).__name__,
        "list": type(preprocess.transforms).__name__,
        "resize": [resize.size, type(resize.size).__name__],
        "bicubic": getattr(resize.interpolation, "name", "").lower(),
        "crop": list(crop.size) if isinstance(crop.size, (tuple, list)) else [crop.size],
        "to_rgb": [to_rgb is clip.clip._convert_image_to_rgb, to_rgb(kit.picture("L")).mode],
        "tensor": to_tensor(kit.picture("RGB", (3, 2))),
        "mean": list(normalise.mean),
        "std": list(normalise.std),
    }


def one_step_at_a_time(clip, kit):
    """Steps called by hand, and lists of them rearranged with the caller's own functions."""
    preprocess = _loaded(clip, kit)
    resize, crop, to_rgb, to_tensor, normalise = preprocess.transforms
    picture = kit.picture("RGBA")
    small = resize(picture)
    pixels = to_tensor(to_rgb(crop(small)))
    preprocess.transforms.insert(3, lambda image: image.rotate(180))
    turned = preprocess(picture)
    preprocess.transforms.pop(3)
    preprocess.transforms[0].size = 70
    return {
        "small": [*small.size, small.mode],
        "unnormalised": pixels[:, ::5, ::5],
        "normalised": normalise(pixels)[:, ::5, ::5],
        "turned": turned[:, ::5, ::5],
        "wider": preprocess(picture)[:, ::5, ::5],
        "kept": to_tensor(picture).shape[0],
    }


def steps_on_tensors(clip, kit):
    """Resize, crop and normalise on batches of tensors, with gradients, at odd sizes."""
    preprocess, results = _loaded(clip, kit), {}
    for shape in ((3, 90, 100), (2, 3, 200, 65), (2, 3, 64, 64), (1, 3, 31, 47)):
        pixels = kit.noise(*shape, seed=5).sigmoid().requires_grad_()
        x = pixels
        for step in preprocess.transforms[:2] + preprocess.transforms[4:]:
            x = step(x)
        x.sum().backward()
        results[f"{shape}"] = x[..., ::7, ::7]
        results[f"{shape} gradient"] = pixels.grad[..., ::7, ::7]
    return results


def to_tensor_of_arrays(clip, kit):
    """`transforms[3]` on numpy arrays and grey pictures, as torchvision's ToTensor takes them."""
    to_tensor = _loaded(clip, kit).transforms[3]
    array = np.array(kit.picture("RGB", (9, 7)))
    return {
        "bytes": to_tensor(array),
        "floats": to_tensor(array.astype(np.float32)),
        "grey": to_tensor(kit.picture("L", (9, 7))),
        "flat": to_tensor(array[..., 0].copy()),
        "bits": to_tensor(kit.picture("1", (9, 7))),
    }


def normalise_forms(clip, kit):
    """Normalise on one picture, a batch, halves and doubles, without a change in place."""
    normalise = _loaded(clip, kit).transforms[-1]
    pixels = kit.noise(2, 3, 5, 6).sigmoid()
    before = pixels.clone()
    return {
        "one": normalise(pixels[0]),
        "batch": normalise(pixels),
        "double": normalise(pixels.double()),
        "half": normalise(pixels.half()),
        "kept": bool((pixels == before).all()),
    }


def pickled(clip, kit):
    """`preprocess` goes to DataLoader workers and into checkpoints."""
    preprocess = pickle.loads(pickle.dumps(_loaded(clip, kit)))
    names = [step.__module__ for step in preprocess.transforms if callable(step)][2:3]
    return {"pixels": preprocess(kit.picture("P"))[:, ::5, ::5], "rgb": names}


class _Pictures(torch.utils.data.Dataset):
    def __init__(self, kit, preprocess):
        self.pictures = [kit.picture(mode) for mode in ("RGB", "L", "RGBA", "P")]
        self.preprocess = preprocess

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        return self.preprocess(self.pictures[index])


def data_loader(clip, kit):
    """A DataLoader with a worker process."""
    loader = torch.utils.data.DataLoader(_Pictures(kit, _loaded(clip, kit)), 2, num_workers=1)
    return {"batches": torch.cat(list(loader))[..., ::9, ::9]}


def inside_torchvision(clip, kit):
    """With torchvision loaded, `preprocess` is its own Compose of its own steps."""
    from torchvision import transforms

    preprocess = _loaded(clip, kit)
    kinds = (
        transforms.Resize,
        transforms.CenterCrop,
        object,
        transforms.ToTensor,
        transforms.Normalize,
    )
    chain = transforms.Compose([transforms.Grayscale(3), *preprocess.transforms])
    return {
        "compose": isinstance(preprocess, transforms.Compose),
        "kinds": [
            isinstance(s, kind) for s, kind in zip(preprocess.transforms, kinds, strict=True)
        ],
        "pixels": chain(kit.picture())[:, ::5, ::5],
        "bicubic": preprocess.transforms[0].interpolation == transforms.InterpolationMode.BICUBIC,
        "own": transforms.Resize(9, interpolation=clip.clip.BICUBIC).interpolation.value,
        "repr": repr(preprocess).split(" at 0x")[0],
    }
