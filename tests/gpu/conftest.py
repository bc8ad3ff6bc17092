"""What only a GPU can show. `make test-gpu` runs it, on a machine with CUDA or Apple's MPS.

Everywhere else each of these tests is skipped, for one reason. What can be seen without a GPU is
in tests/clip/test_devices.py and tests/snaplink/test_encoder_devices.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import clip
from clip.model import CLIP

EXAMPLES = Path(__file__).parents[2] / "examples"
REASON = "no GPU here: run `make test-gpu` on a machine with CUDA or MPS"
HERE = [
    name
    for name, there in (
        ("cuda", torch.cuda.is_available()),
        ("mps", torch.backends.mps.is_available()),
    )
    if there
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not HERE and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=REASON))


@pytest.fixture(params=HERE or ["none"])
def device(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def cuda(device: str) -> str:
    """For what only CUDA has."""
    if device != "cuda":
        pytest.skip(f"{device} has no such thing")
    return device


@pytest.fixture
def pictures() -> list[Image.Image]:
    return [Image.open(path) for path in sorted(EXAMPLES.glob("*.png"))]


@pytest.fixture
def names() -> list[str]:
    return [path.stem.replace("-", " ") for path in sorted(EXAMPLES.glob("*.png"))]


@pytest.fixture(params=["vit", "resnet"])
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A model of each family: the built-in one, and a small ResNet of random weights."""
    if request.param == "vit":
        return "tiny"
    torch.manual_seed(0)
    model = CLIP(32, 64, (1, 2, 1, 1), 16, None, 77, 49408, 64, 1, 2).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1)
    torch.save(model.state_dict(), tmp_path / "resnet.pt")
    return str(tmp_path / "resnet.pt")


@pytest.fixture
def inputs(checkpoint: str, pictures: list[Image.Image], names: list[str]) -> tuple[Any, Any]:
    """Pixels and token ids, on the CPU."""
    _, preprocess = clip.load(checkpoint, device="cpu")
    return torch.stack([preprocess(each) for each in pictures]), clip.tokenize(names)


@pytest.fixture(autouse=True)
def exact_products() -> Iterator[None]:
    """No TF32: float32 is to be compared as such."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]
