"""Directories and files that transformers' CLIPModel saves give the same features here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import clip
from clip.errors import CheckpointError

TEXTS = ["a photo of a cat", "two dogs", "", "ein Bild von einem Häuschen 🏠"]
FORMS = (
    *("single", "shards", "bin", "bin_shards", "gelu", "heads", "half", "bfloat16", "old_config"),
    "processor",
)

SCRIPT = """
import json
from pathlib import Path
import numpy as np
import torch
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel
from transformers import CLIPTextModelWithProjection, CLIPVisionModelWithProjection
from PIL import Image

torch.manual_seed(0)
root = Path(inputs["root"])
text = dict(hidden_size=64, intermediate_size=256, num_hidden_layers=2, num_attention_heads=1)
vision = dict(hidden_size=128, intermediate_size=512, num_hidden_layers=3, num_attention_heads=2)
vision.update(image_size=64, patch_size=16)


def make(text_changes={}, vision_changes={}):
    config = CLIPConfig(
        text_config={**text, **text_changes},
        vision_config={**vision, **vision_changes},
        projection_dim=96,
    )
    model = CLIPModel(config).eval()
    with torch.no_grad():  # far enough from the initial values to tell activations and norms apart
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def note(name, model):
    model = model.float()
    with torch.no_grad():
        texts = model.text_model(torch.from_numpy(inputs["tokens"]).long()).pooler_output
        images = model.vision_model(torch.from_numpy(inputs["images"])).pooler_output
        outputs[f"{name}.texts"] = model.text_projection(texts)
        outputs[f"{name}.images"] = model.visual_projection(images)
        outputs[f"{name}.scale"] = model.logit_scale


plain = make()
plain.save_pretrained(root / "single")
note("single", plain)
plain.save_pretrained(root / "shards", max_shard_size="400KB")
note("shards", plain)

weights = plain.state_dict()
for name in ("bin", "bin_shards", "old_config", "processor"):
    plain.config.save_pretrained(root / name)
    note(name, plain)
torch.save(weights, root / "bin" / "pytorch_model.bin")
parts = [dict(list(weights.items())[start::2]) for start in (0, 1)]
weight_map = {}
for number, part in enumerate(parts):
    file = f"pytorch_model-{number}.bin"
    torch.save(part, root / "bin_shards" / file)
    weight_map.update(dict.fromkeys(part, file))
index = json.dumps({"metadata": {}, "weight_map": weight_map})
(root / "bin_shards" / "pytorch_model.bin.index.json").write_text(index)

# As transformers 4.20 wrote it: the options twice, position_ids among the weights, a pickle.
config = json.loads((root / "single" / "config.json").read_text())
config["text_config_dict"] = dict(config["text_config"], eos_token_id=2)
config["vision_config_dict"] = config["vision_config"]
config["text_config"] = config["vision_config"] = {"num_attention_heads": 4}
(root / "old_config" / "config.json").write_text(json.dumps(config))
ids = {
    "text_model.embeddings.position_ids": torch.arange(77)[None],
    "vision_model.embeddings.position_ids": torch.arange(17)[None],
}
torch.save({**ids, **weights}, root / "old_config" / "pytorch_model.bin")

both = {"hidden_act": "gelu", "layer_norm_eps": 1e-2}
different = make(both, {**both, "layer_norm_eps": 1e-3})
different.save_pretrained(root / "gelu")
note("gelu", different)
heads = make({"num_attention_heads": 4, "intermediate_size": 100}, {"num_attention_heads": 8})
heads.save_pretrained(root / "heads")
note("heads", heads)
for name, dtype in (("half", torch.float16), ("bfloat16", torch.bfloat16)):
    model = make().to(dtype)
    model.save_pretrained(root / name)
    note(name, model)

torch.save(weights, root / "processor" / "pytorch_model.bin")
odd = dict(image_mean=[0.5, 0.4, 0.3], image_std=[0.2, 0.3, 0.4], resample=2)
sizes = dict(size={"height": 64, "width": 64}, crop_size={"height": 64, "width": 64})
processors = {
    "processor": CLIPImageProcessorPil(**odd, **sizes, do_center_crop=False),
    "single": CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size=64),
}
for name, processor in processors.items():
    processor.save_pretrained(root / name)
    picture = Image.fromarray(inputs["picture"])
    outputs[f"{name}.pixels"] = np.asarray(processor(picture)["pixel_values"][0])

plain.config.vision_config.projection_dim = plain.config.text_config.projection_dim = 96
CLIPVisionModelWithProjection(plain.config.vision_config).save_pretrained(root / "vision_only")
CLIPTextModelWithProjection(plain.config.text_config).save_pretrained(root / "text_only")
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
    """The folder with all that transformers saved, and the features that it computed."""
    root = tmp_path_factory.mktemp("transformers")
    tokens = clip.tokenize(TEXTS).numpy()
    return root, peer(SCRIPT, root=str(root), tokens=tokens, images=images, picture=picture)


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
    assert model.logit_scale.item() == pytest.approx(float(features[f"{name}.scale"]))


@pytest.mark.parametrize("name", FORMS)
def test_directories_give_the_same_features(saved: Any, images: np.ndarray, name: str) -> None:
    root, features = saved
    model, _ = clip.load(str(root / name), device="cpu")
    assert_same_features(model, images, features, name)


def test_a_single_file_finds_its_config(saved: Any, images: np.ndarray) -> None:
    root, features = saved
    model, _ = clip.load(root / "gelu" / "model.safetensors", device="cpu")
    assert_same_features(model, images, features, "gelu")


def test_without_its_config_the_caller_says_what_it_said(
    saved: Any, images: np.ndarray, tmp_path: Path
) -> None:
    root, features = saved
    alone = tmp_path / "model.safetensors"
    alone.write_bytes((root / "gelu" / "model.safetensors").read_bytes())
    model, _ = clip.load(alone, "cpu", activation="gelu", vision_eps=1e-3, text_eps=1e-2)
    assert_same_features(model, images, features, "gelu")
    for wrong in ({"activation": "gelu"}, {"vision_eps": 1e-3, "text_eps": 1e-2}):
        model, _ = clip.load(alone, "cpu", **wrong)
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            assert_same_features(model, images, features, "gelu")


@pytest.mark.parametrize(
    ("name", "message"),
    [("vision_only", "the text tower is missing"), ("text_only", "the picture tower is missing")],
)
def test_half_a_model_is_no_model(saved: Any, name: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        clip.load(saved[0] / name, "cpu")


@pytest.mark.parametrize("name", ["single", "processor"])
def test_pictures_are_prepared_as_the_processor_does(
    saved: Any, picture: np.ndarray, name: str
) -> None:
    root, features = saved
    _, preprocess = clip.load(root / name, "cpu")
    ours = preprocess(Image.fromarray(picture)).numpy()
    np.testing.assert_allclose(ours, features[f"{name}.pixels"], rtol=0, atol=1e-5)
