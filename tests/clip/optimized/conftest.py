"""Small models of both families, and what to feed them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from clip import model as towers
from clip.model import CLIP
from clip.optimized import linears, probes

VOCABULARY, CONTEXT = 300, 24


def vit() -> CLIP:
    """Wide enough (256) that int8 takes its own layers."""
    return CLIP(64, 32, 2, 256, 8, CONTEXT, VOCABULARY, 128, 2, 2)


def exact_gelu() -> CLIP:
    """As open_clip's: GELU, another epsilon, other heads and MLP widths."""
    model = towers.skeleton(towers.Architecture(64, 32, 2, 256, 16, CONTEXT, VOCABULARY, 128, 2, 2))
    changes = {"vision_heads": 8, "vision_mlp_width": 640, "text_mlp_width": 320}
    towers.adapt(model, activation="gelu", vision_eps=1e-3, text_eps=1e-2, **changes)
    scale = {"weight": 0.05, "bias": 0.2}
    weights = {
        name: torch.randn(tensor.shape) * scale.get(name.rpartition(".")[2], 0.05)
        + (1.0 if ".ln_" in name and name.endswith("weight") else 0.0)
        for name, tensor in model.state_dict().items()
    }
    return towers.furnish(model, weights)


def resnet() -> CLIP:
    """With batch norms that do something."""
    model = CLIP(64, 64, (1, 2, 1, 1), 64, None, CONTEXT, VOCABULARY, 64, 1, 2)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor, std=0.1)
    return model


FAMILIES: dict[str, Callable[[], CLIP]] = {"vit": vit, "gelu": exact_gelu, "resnet": resnet}


@pytest.fixture(params=FAMILIES)
def any_model(request: pytest.FixtureRequest) -> CLIP:
    torch.manual_seed(0)
    return FAMILIES[request.param]().eval()


@pytest.fixture
def model() -> CLIP:
    torch.manual_seed(0)
    return vit().eval()


@pytest.fixture
def image() -> Tensor:
    return probes.pictures(5, 32)


@pytest.fixture
def text() -> Tensor:
    return probes.captions(9, CONTEXT, VOCABULARY)


@pytest.fixture(params=["fp32", "bf16", "int8"])
def precision(request: pytest.FixtureRequest) -> str:
    """Each that this computer can run."""
    if linears.kit_of(request.param) is None:
        pytest.skip(f"this torch cannot compute {request.param} on this processor")
    name: str = request.param
    return name


@pytest.fixture(autouse=True)
def one_thread():
    """The models are so small that threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """What auto finds is written here, never into the user's own cache."""
    monkeypatch.setenv("CLIP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
