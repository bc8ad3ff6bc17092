"""What engines need beside the weights, made once: reference features, ONNX files, int8 ones.

Runs in the peers' environment, after `weights.py`:

    python exports.py openai/CLIP FOLDER
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from contenders import ARCHIVE, RESNET_ARCHIVE, prepare
from inputs import captions, pixels

COUNT = 64
"""The largest batch: references are the features of so many pictures and captions."""

CALIBRATION = 4
"""Batches of inputs, other than the measured ones, that OpenVINO's int8 is calibrated with."""


def main() -> None:
    prepare(sys.argv[1])
    folder = Path(sys.argv[2])
    (folder / "engines").mkdir(exist_ok=True)
    for archive in (ARCHIVE, RESNET_ARCHIVE):
        once(reference_file(folder, archive), lambda path, a=archive: reference(folder / a, path))
    for name in ("image", "text"):
        plain = folder / "engines" / f"{name}.onnx"
        once(plain, lambda path, n=name: export(folder / ARCHIVE, n, path))
        once(plain.with_name(f"{name}-int8.onnx"), lambda path, p=plain: with_onnxruntime(p, path))
        once(plain.with_name(f"{name}-int8.xml"), lambda path, p=plain: with_openvino(p, path))
    print(json.dumps({}))


def reference_file(folder: Path, archive: str) -> Path:
    return folder / "engines" / f"{archive}.npz"


def once(path: Path, make: Callable[[Path], None]) -> None:
    """Make a file that is not there yet; under another name until it is whole."""
    if not path.exists():
        print(f"making {path.name} …", file=sys.stderr, flush=True)
        unfinished = path.with_name(f"unfinished-{path.name}")
        make(unfinished)
        weights = unfinished.with_suffix(".bin")  # what an .xml refers to by its own name
        if weights.exists():
            weights.replace(path.with_suffix(".bin"))
        unfinished.replace(path)


def loaded(archive: Path) -> Any:
    import clip

    return clip.load(str(archive), device="cpu")[0].eval()


def reference(archive: Path, path: Path) -> None:
    """openai/CLIP's own features in float32, by eights."""
    model = loaded(archive)
    with torch.no_grad():
        image = torch.cat([model.encode_image(each) for each in pixels(COUNT).split(8)])
        text = torch.cat([model.encode_text(each) for each in captions(COUNT).split(8)])
    with path.open("wb") as file:
        np.savez(file, image=image.numpy(), text=text.numpy())


class TextTower(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.model.encode_text(tokens)


def export(archive: Path, name: str, path: Path) -> None:
    """A tower of openai/CLIP as ONNX, for any number of inputs."""
    model = loaded(archive)
    tower = model.visual if name == "image" else TextTower(model)
    example = pixels(2) if name == "image" else captions(2).long()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            tower,
            (example,),
            path,
            dynamo=False,
            opset_version=18,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
        )


def with_onnxruntime(plain: Path, path: Path) -> None:
    """ONNX Runtime's dynamic quantisation: int8 weights, activations measured at each call."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)
    products = ["MatMul", "Gemm"]  # its int8 convolution is slow
    quantize_dynamic(plain, path, weight_type=QuantType.QInt8, op_types_to_quantize=products)


def with_openvino(plain: Path, path: Path) -> None:
    """OpenVINO's own post-training quantisation (NNCF), activations calibrated beforehand."""
    import nncf
    import openvino

    random = np.random.default_rng(2)
    if plain.stem == "image":
        batches = [random.standard_normal((8, 3, 224, 224), "f4") for _ in range(CALIBRATION)]
    else:
        several = captions(COUNT * 2)[COUNT:].long()
        batches = [each.numpy() for each in several.split(COUNT // CALIBRATION)]
    quantized = nncf.quantize(
        openvino.Core().read_model(plain),
        nncf.Dataset(batches, lambda batch: {"x": batch}),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(batches),
    )
    openvino.save_model(quantized, path, compress_to_fp16=False)


if __name__ == "__main__":
    main()
