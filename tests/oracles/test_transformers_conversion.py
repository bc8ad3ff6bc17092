"""A converted checkpoint is loaded by transformers itself and gives the same features there."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import clip
from clip.jit import scripted
from clip.model import CLIP, build_model
from snaplink.convert import convert

TEXTS = ["a photo of a cat", "two dogs, and more!", "Häuschen 🏠 don't", "x" * 30, ""]
NAMES = ("archive", "plain", "half", "gelu")

SCRIPT = """
from pathlib import Path
import numpy as np
import torch
from transformers import CLIPModel, CLIPProcessor
from PIL import Image

picture = Image.fromarray(inputs["picture"])
for name in inputs["names"]:
    folder = str(Path(inputs["root"]) / name)
    model, report = CLIPModel.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    outputs[f"{name}.dtype"] = str(model.dtype)
    model = model.float().eval()
    processor = CLIPProcessor.from_pretrained(folder)
    options = dict(padding="max_length", truncation=True, return_tensors="pt")
    ids = processor.tokenizer(inputs["texts"], **options)["input_ids"]
    outputs[f"{name}.ids"] = ids
    outputs[f"{name}.side"] = list(processor.image_processor(picture)["pixel_values"][0].shape)
    images = torch.from_numpy(inputs["images"])
    with torch.no_grad():
        texts = model.text_model(ids).pooler_output
        pictures = model.vision_model(images).pooler_output
        outputs[f"{name}.texts"] = model.text_projection(texts)
        outputs[f"{name}.images"] = model.visual_projection(pictures)
        outputs[f"{name}.logits"] = model(input_ids=ids, pixel_values=images).logits_per_image
"""


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3, 3, 32, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[str, Any]]]:
    """A checkpoint and the options of its conversion for every name."""
    folder = tmp_path_factory.mktemp("sources")
    torch.manual_seed(0)
    model = CLIP(64, 32, 2, 128, 16, 77, 49408, 64, 1, 2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    torch.save(model.state_dict(), folder / "plain.pt")
    archive = scripted(build_model(model.state_dict()).float())
    assert archive is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit is deprecated
        torch.jit.save(archive, folder / "archive.pt")
    gelu = {"activation": "gelu", "vision_heads": 4, "vision_eps": 1e-2, "resize_mode": "squash"}
    return {
        "archive": (folder / "archive.pt", {}),
        "plain": (folder / "plain.pt", {}),
        "half": (folder / "plain.pt", {"dtype": torch.float16}),
        "gelu": (folder / "plain.pt", gelu),
    }


@pytest.fixture(scope="module")
def answers(
    peer: Any, sources: Any, images: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    root = tmp_path_factory.mktemp("converted")
    for name, (source, options) in sources.items():
        convert(source, root / name, to="transformers", **options)
    picture = np.zeros((50, 90, 3), np.uint8)
    given = {"names": list(NAMES), "texts": TEXTS, "images": images, "picture": picture}
    return peer(SCRIPT, root=str(root), **given)


@pytest.mark.parametrize("name", NAMES)
def test_features_are_the_same(answers: Any, sources: Any, images: np.ndarray, name: str) -> None:
    source, options = sources[name]
    meaning = {key: value for key, value in options.items() if key != "dtype"}
    model, preprocess = clip.load(source, "cpu", **meaning)
    text, image = clip.tokenize(TEXTS), torch.from_numpy(images)
    with torch.no_grad():
        ours = {
            "texts": model.encode_text(text),
            "images": model.encode_image(image),
            "logits": model(image, text)[0],
        }
    error = 2e-3 if name == "half" else 1e-5
    for kind, expected in ours.items():
        found = answers[f"{name}.{kind}"]
        largest = expected.abs().max().item()
        np.testing.assert_allclose(found, expected, rtol=0, atol=error * largest)
    cosine = torch.cosine_similarity(torch.from_numpy(answers[f"{name}.images"]), ours["images"])
    assert cosine.min() >= (0.9999 if name == "half" else 0.99999)
    shape = list(preprocess(Image.new("RGB", (90, 50))).shape)
    assert answers[f"{name}.side"] == shape


@pytest.mark.parametrize("name", NAMES)
def test_texts_have_the_same_ids_up_to_the_padding(answers: Any, name: str) -> None:
    for theirs, ours in zip(answers[f"{name}.ids"], clip.tokenize(TEXTS).numpy(), strict=True):
        length = ours.argmax() + 1
        assert theirs[:length].tolist() == ours[:length].tolist()


def test_the_dtype_is_the_one_of_the_weights(answers: Any) -> None:
    found = {name: answers[f"{name}.dtype"] for name in NAMES}
    assert found["half"] == "torch.float16"
    assert found["plain"] == found["archive"] == "torch.float32"
