"""Directories and files of open_clip's models give the same features and pictures here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import clip
from clip.errors import CheckpointError

TEXTS = ["a photo of a cat", "two dogs", "", "ein Bild von einem Häuschen 🏠"]
FORMS = ("plain", "quick_gelu", "custom_text", "wide_heads", "norms", "resnet", "trained")
PICTURES = {
    "plain": {},
    "quick_gelu": {"resize_mode": "longest", "fill_color": 7, "interpolation": "bilinear"},
    "custom_text": {"resize_mode": "squash", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]},
}

SCRIPT = """
import json
from dataclasses import asdict
from pathlib import Path
import numpy as np
import torch
from open_clip.model import CLIP, CustomTextCLIP
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from safetensors.torch import save_file

torch.manual_seed(0)
root = Path(inputs["root"])
text = {"width": 64, "heads": 1, "layers": 2}
vision = {"width": 128, "layers": 3, "image_size": 64, "patch_size": 16}
resnet = {"width": 16, "layers": [1, 2, 1, 1], "image_size": 64, "patch_size": None}


def save(name, file, text=text, vision=vision, kind=CLIP, **options):
    model = kind(embed_dim=96, text_cfg=text, vision_cfg=vision, **options).eval()
    with torch.no_grad():  # far enough from the initial values to tell activations and norms apart
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        outputs[f"{name}.images"] = model.encode_image(torch.from_numpy(inputs["images"]))
        outputs[f"{name}.texts"] = model.encode_text(torch.from_numpy(inputs["tokens"]).long())
    folder = root / name
    folder.mkdir()
    pictures = inputs["pictures"].get(name, {})
    config = {"embed_dim": 96, "vision_cfg": vision, "text_cfg": text, **options}
    config = {"model_cfg": config, "preprocess_cfg": pictures}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    weights = model.state_dict()
    if file.endswith("safetensors"):
        save_file(weights, folder / file)
    else:
        torch.save(weights, folder / file)
    transform = image_transform_v2(PreprocessCfg(**{**pictures, "size": 64}), is_train=False)
    outputs[f"{name}.pixels"] = transform(Image.fromarray(inputs["picture"]))
    return model


save("plain", "open_clip_model.safetensors")
save("quick_gelu", "open_clip_pytorch_model.bin", quick_gelu=True)
save("custom_text", "model.safetensors", kind=CustomTextCLIP)
wide = {**vision, "head_width": 32, "mlp_ratio": 3.3}
save("wide_heads", "model.pth", text={**text, "heads": 4}, vision=wide)
eps = {"norm_kwargs": {"eps": 1e-2}}
end = {"pool_type": "eos", "eos_id": 49407}
save("norms", "pytorch_model.bin", text={**text, **eps, **end}, vision={**vision, **eps})
save("resnet", "open_clip_pytorch_model.bin", vision=resnet)

# As open_clip's training script saves a checkpoint.
model = save("trained", "open_clip_pytorch_model.bin")
optimizer = torch.optim.AdamW(model.parameters())
weights = {"module." + name: value for name, value in model.state_dict().items()}
checkpoint = {"epoch": 3, "name": "x", "state_dict": weights, "optimizer": optimizer.state_dict()}
torch.save(checkpoint, root / "trained" / "open_clip_pytorch_model.bin")
"""


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3, 3, 64, 64)).astype(np.float32)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    rows, columns = np.mgrid[:90, :200]
    return np.stack([rows * 2, columns, (rows * columns) % 256], axis=-1).astype(np.uint8)


@pytest.fixture(scope="module")
def saved(
    peer: Any, images: np.ndarray, picture: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """The folder with all that open_clip saved, and what it computed."""
    root = tmp_path_factory.mktemp("open_clip")
    tokens = clip.tokenize(TEXTS).numpy()
    given = {"tokens": tokens, "images": images, "picture": picture, "pictures": PICTURES}
    return root, peer(SCRIPT, root=str(root), **given)


def assert_same_features(
    model: Any, images: np.ndarray, features: dict[str, Any], name: str
) -> None:
    with torch.no_grad():
        pictures = model.encode_image(torch.from_numpy(images)).numpy()
        texts = model.encode_text(clip.tokenize(TEXTS)).numpy()
    for ours, theirs in (
        (pictures, features[f"{name}.images"]),
        (texts, features[f"{name}.texts"]),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


@pytest.mark.parametrize("name", FORMS)
def test_directories_give_the_same_features(saved: Any, images: np.ndarray, name: str) -> None:
    root, features = saved
    model, _ = clip.load(f"local-dir:{root / name}", device="cpu")
    assert_same_features(model, images, features, name)


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_prepared_as_open_clip_does(
    saved: Any, picture: np.ndarray, name: str
) -> None:
    root, features = saved
    _, preprocess = clip.load(str(root / name), device="cpu")
    ours = preprocess(Image.fromarray(picture)).numpy()
    np.testing.assert_allclose(ours, features[f"{name}.pixels"], rtol=0, atol=1e-5)


def test_without_its_config_the_caller_must_say_which_activation(
    saved: Any, images: np.ndarray, tmp_path: Any
) -> None:
    root, features = saved
    alone = tmp_path / "open_clip_model.safetensors"
    alone.write_bytes((root / "plain" / "open_clip_model.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="Pass activation="):
        clip.load(alone, "cpu")
    model, _ = clip.load(alone, "cpu", activation="gelu")
    assert_same_features(model, images, features, "plain")
