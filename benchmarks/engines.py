"""What encodes pictures and captions, by the names of the tables' rows. A process uses one.

Each takes float32 pixels [n, 3, R, R] and int32 token ids [n, 77] and gives features as NumPy
arrays. What has to be exported or quantised lies ready (`exports.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from contenders import TRANSFORMERS_FOLDER

if TYPE_CHECKING:
    from torch import Tensor, nn

Encode = Callable[["Tensor"], np.ndarray]


class Towers(NamedTuple):
    image: Encode
    text: Encode


class MissingEngineError(Exception):
    """This engine cannot run here, and why."""


@dataclass(frozen=True)
class Engine:
    """How to make the towers from the folder of `weights.py` and an archive in it.

    Attributes:
        precision: of its matrix products: the peak that it is compared with.
        build: the folder and the archive's name to ready towers.
        compiles: it compiles anew for each shape, and is measured with one of them.
    """

    precision: str
    build: Callable[[Path, str], Towers]
    compiles: bool = False


def in_torch(image: Callable[..., Tensor], text: Callable[..., Tensor]) -> Towers:
    """Towers of functions over tensors."""
    import torch

    def encode(tower: Callable[..., Tensor], inputs: Tensor) -> np.ndarray:
        with torch.no_grad():
            return tower(inputs).float().numpy()

    return Towers(partial(encode, image), partial(encode, text))


def original(folder: Path, archive: str, precision: str = "fp32") -> Towers:
    """openai/CLIP itself, or ours, which goes by the same name."""
    import torch

    import clip

    model = clip.load(str(folder / archive), device="cpu")[0]
    if precision == "bf16":
        in_bf16(model)
    if precision == "autocast":
        scope = partial(torch.autocast, "cpu", torch.bfloat16)
        return in_torch(scope()(model.encode_image), scope()(model.encode_text))
    return in_torch(model.encode_image, model.encode_text)


def in_bf16(model: nn.Module) -> None:
    """Everything in bfloat16, layer norms too, which openai/CLIP's own class would refuse."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.__class__ = torch.nn.LayerNorm
    model.bfloat16()


def optimized(folder: Path, archive: str, precision: str) -> Towers:
    """Ours, packed for inference."""
    import clip

    if not hasattr(clip, "optimize"):
        raise MissingEngineError("this version has no clip.optimize")
    model = clip.load(str(folder / archive), device="cpu")[0]
    packed = clip.optimize(model, precision=precision)
    return in_torch(packed.encode_image, packed.encode_text)


def open_clip(folder: Path, archive: str, precision: str) -> Towers:
    import logging

    import open_clip
    import torch

    logging.disable(logging.WARNING)  # it warns that there are no weights: they come below
    model = open_clip.create_model("ViT-B-32-quickgelu", precision=precision).eval()
    weights = torch.jit.load(folder / archive, map_location="cpu").state_dict()
    sizes = ("input_resolution", "context_length", "vocab_size")
    model.load_state_dict({name: each for name, each in weights.items() if name not in sizes})
    dtype = model.visual.conv1.weight.dtype
    return in_torch(lambda pixels: model.encode_image(pixels.to(dtype)), model.encode_text)


def transformers(folder: Path, _: str, dtype: str) -> Towers:
    import torch
    from transformers import CLIPModel

    kind = getattr(torch, dtype)
    model = CLIPModel.from_pretrained(folder / TRANSFORMERS_FOLDER, dtype=kind).eval()
    return in_torch(
        lambda pixels: model.get_image_features(pixel_values=pixels.to(kind)).pooler_output,
        lambda tokens: model.get_text_features(input_ids=tokens.long()).pooler_output,
    )


def compiled(folder: Path, archive: str, precision: str) -> Towers:
    """openai/CLIP's towers through torch.compile, weights frozen into the code."""
    import torch
    import torch._inductor.config

    import clip

    torch._inductor.config.freezing = True
    model = clip.load(str(folder / archive), device="cpu")[0].requires_grad_(False)
    if precision == "bf16":
        in_bf16(model)
    dtype = model.dtype
    image, text = (
        torch.compile(tower, dynamic=False) for tower in (model.visual, model.encode_text)
    )
    return in_torch(lambda pixels: image(pixels.to(dtype)), text)


def onnx_runtime(folder: Path, _: str, kind: str) -> Towers:
    import onnxruntime

    def tower(name: str) -> Encode:
        path = folder / "engines" / f"{name}{kind}.onnx"
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda inputs: session.run(None, {"x": in_numpy(inputs)})[0]

    return Towers(tower("image"), tower("text"))


def openvino(folder: Path, _: str, file: str, hint: str) -> Towers:
    import openvino

    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint}
    core = openvino.Core()

    def tower(name: str) -> Encode:
        path = folder / "engines" / file.format(name)
        request = core.compile_model(path, "CPU", settings).create_infer_request()
        return lambda inputs: request.infer({0: in_numpy(inputs)})[0]

    return Towers(tower("image"), tower("text"))


def in_numpy(inputs: Tensor) -> np.ndarray:
    """Token ids as int64, which the exported towers take."""
    return (inputs if inputs.is_floating_point() else inputs.long()).numpy()


FASTEST = "snaplink, optimized"

ENGINES = {
    "openai/CLIP": Engine("fp32", original),
    "openai/CLIP, autocast": Engine("bf16", partial(original, precision="autocast")),
    "openai/CLIP, all in bf16": Engine("bf16", partial(original, precision="bf16")),
    "open_clip": Engine("fp32", partial(open_clip, precision="fp32")),
    "open_clip, bf16": Engine("bf16", partial(open_clip, precision="bf16")),
    "transformers": Engine("fp32", partial(transformers, dtype="float32")),
    "transformers, bf16": Engine("bf16", partial(transformers, dtype="bfloat16")),
    "torch.compile": Engine("fp32", partial(compiled, precision="fp32"), compiles=True),
    "torch.compile, bf16": Engine("bf16", partial(compiled, precision="bf16"), compiles=True),
    "ONNX Runtime": Engine("fp32", partial(onnx_runtime, kind="")),
    "ONNX Runtime, int8": Engine("int8", partial(onnx_runtime, kind="-int8")),
    "OpenVINO": Engine("fp32", partial(openvino, file="{}.onnx", hint="f32")),
    "OpenVINO, bf16": Engine("bf16", partial(openvino, file="{}.onnx", hint="bf16")),
    "OpenVINO, int8": Engine("int8", partial(openvino, file="{}-int8.xml", hint="bf16")),
    "snaplink": Engine("fp32", original),
    f"{FASTEST} fp32": Engine("fp32", partial(optimized, precision="fp32")),
    f"{FASTEST} bf16": Engine("bf16", partial(optimized, precision="bf16")),
    f"{FASTEST} int8": Engine("int8", partial(optimized, precision="int8")),
}
