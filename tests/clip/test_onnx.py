"""Both encoders as ONNX, run by ONNX Runtime: any batch, equal values."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import nn

from clip.model import CLIP

VIT = (64, 32, 2, 64, 16, 10, 300, 64, 1, 2)
RESNET = (32, 64, (1, 1, 1, 1), 16, None, 10, 300, 64, 1, 2)


class Encoder(nn.Module):
    def __init__(self, model: CLIP, method: str) -> None:
        super().__init__()
        self.model, self.method = model, method

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return getattr(self.model, self.method)(x)  # type: ignore[no-any-return]


def inputs(model: CLIP, method: str, count: int) -> torch.Tensor:
    side = model.visual.input_resolution
    if method == "encode_image":
        return torch.randn(count, 3, side, side)
    return torch.randint(300, (count, model.context_length))


# The exporters of torch and ONNX deprecate parts of each other.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("sizes", [VIT, RESNET], ids=["vit", "resnet"])
@pytest.mark.parametrize("method", ["encode_image", "encode_text"])
def test_an_encoder_exports_to_onnx(sizes: tuple[object, ...], method: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = CLIP(*sizes).eval()  # type: ignore[arg-type]
    file = tmp_path / "encoder.onnx"
    with torch.no_grad():
        torch.onnx.export(
            Encoder(model, method).eval(),
            (inputs(model, method, 3),),
            file,
            input_names=["x"],
            dynamo=True,
            dynamic_shapes={"x": {0: torch.export.Dim("batch", min=2, max=64)}},
            verbose=False,
        )
        more = inputs(model, method, 5)
        expected = getattr(model, method)(more)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": more.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-4, atol=1e-4)
