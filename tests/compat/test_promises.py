"""What ours promises where the original has no say: documented differences and additions."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import clip

from . import materials
from .conftest import ROOT, call

ENTRY_POINTS = ["RN50", "RN101", "RN50x4", "RN50x16", "RN50x64", "ViT_B_32", "ViT_B_16",
                "ViT_L_14", "ViT_L_14_336px"]  # fmt: skip


def test_tokens_are_int32():
    assert clip.tokenize(["a", "b"]).dtype is torch.int32
    nothing = clip.tokenize([])
    assert nothing.dtype is torch.int32
    assert nothing.shape == (0, 77)


def test_a_plain_file_keeps_its_float32_values(tmp_path):
    weights = materials.state_dict("vit")
    odd = {name: w + 1e-4 if w.dim() else w for name, w in weights.items()}
    torch.save(odd, tmp_path / "plain.pt")
    model, _ = clip.load(tmp_path / "plain.pt", device="cpu")
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, odd[name]), name


def test_an_archive_in_float32_is_rounded_as_build_model_rounds(tmp_path):
    odd = {name: w + 1e-4 if w.dim() else w for name, w in materials.state_dict("vit").items()}
    materials.save_archive(odd, "vit", tmp_path / "archive.pt")
    model, _ = clip.load(tmp_path / "archive.pt", device="cpu")
    expected = clip.model.build_model(dict(odd)).float().state_dict()
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, expected[name]), name
    assert torch.equal(model.visual.proj, odd["visual.proj"].half().float())


@pytest.mark.parametrize("jit", [False, True])
def test_load_leaves_the_random_state_alone(kit, jit):
    torch.manual_seed(3)
    np.random.seed(3)
    before = torch.get_rng_state()
    clip.load(kit.vit, device="cpu", jit=jit)
    clip.load(kit.resnet, device="cpu", jit=jit)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.random.randint(2**31) == np.random.RandomState(3).randint(2**31)


def test_the_old_random_stream_comes_back_by_a_constructor(kit):
    """The migration guide's line: after seeding, construct the model that `load` no longer does."""
    torch.manual_seed(3)
    clip.model.CLIP(64, 64, 3, 128, 16, 77, 49408, 128, 2, 3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    clip.model.CLIP(64, 64, 3, 128, 16, 77, 49408, 128, 2, 3)
    clip.load(kit.vit, device="cpu")
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("dtype", [torch.half, torch.bfloat16, torch.double])
@pytest.mark.parametrize(("kind", "size"), [("vit", 64), ("resnet", 96)])
def test_the_whole_model_may_be_cast(kit, kind, size, dtype):
    model, _ = clip.load(getattr(kit, kind), device="cpu")
    inputs = kit.pixels(2, size), clip.tokenize(["a cat", "two dogs"])
    expected = model.encode_image(inputs[0]), model.encode_text(inputs[1])
    model.to(dtype)
    assert {weight.dtype for weight in model.parameters()} == {dtype}
    got = model.encode_image(inputs[0]), model.encode_text(inputs[1])
    for feature, wanted in zip(got, expected, strict=True):
        assert feature.dtype is dtype
        similarity = torch.cosine_similarity(feature.double(), wanted.double())
        assert similarity.min() > {torch.bfloat16: 0.998}.get(dtype, 0.9999)
    assert model(*inputs)[0].dtype is dtype


def test_every_addition_to_load_is_by_keyword_only():
    parameters = inspect.signature(clip.load).parameters.values()
    free = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert free == ["name", "device", "jit", "download_root"]
    assert not any(p.kind is p.VAR_POSITIONAL for p in parameters)


def test_download_without_a_root_uses_the_usual_cache(monkeypatch, tmp_path):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    cached = tmp_path / ".cache" / "clip" / "mine.pt"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    found = clip.clip._download(f"https://example.invalid/{sha256}/mine.pt")
    assert isinstance(found, str)
    assert Path(found) == cached


def test_torchvision_is_not_imported(kit, lent_packages):
    program = f"""
import sys
import clip
from PIL import Image
model, preprocess = clip.load({kit.vit!r}, device="cpu")
preprocess(Image.new("RGB", (80, 70)))
print("torchvision" in sys.modules)
"""
    also = f"import sys; sys.path.append({str(lent_packages)!r})"
    assert call(sys.executable, "-c", also + program, source=ROOT / "src").strip() == "False"


HUB = """
import json, sys, torch
tokenize = torch.hub.load({root!r}, "tokenize", source="local")
import clip
clip.clip._download = lambda url, root=None: {archive!r}
names = {{}}
for name in {names!r}:
    model, preprocess = torch.hub.load({root!r}, name, source="local", device="cpu", jit=False)
    names[name] = type(model).__name__
print(json.dumps([clip.__file__, tokenize is clip.tokenize, names]))
"""


def _through_the_hub(python, kit):
    program = HUB.format(root=str(ROOT), archive=kit.vit, names=ENTRY_POINTS)
    return json.loads(call(python, "-c", program).splitlines()[-1])


def test_torch_hub_loads_from_a_checkout(kit):
    file, same, models = _through_the_hub(sys.executable, kit)
    assert Path(file).is_relative_to(ROOT / "src")
    assert same
    assert models == dict.fromkeys(ENTRY_POINTS, "CLIP")


def test_the_vocabulary_of_the_original_is_accepted(lent_packages):
    path = lent_packages / "clip" / "bpe_simple_vocab_16e6.txt.gz"
    theirs = clip.simple_tokenizer.SimpleTokenizer(str(path))
    own = clip.simple_tokenizer.SimpleTokenizer()
    text = "a photo of supercalifragilistic naïve 日本語 dogs' 123"
    assert theirs.encode(text) == own.encode(text)
    assert dict(theirs.encoder) == dict(own.encoder)
    assert dict(theirs.bpe_ranks) == dict(own.bpe_ranks)


def test_the_mask_keeps_its_dtype_when_a_half_model_runs(kit):
    """The original rewrites `attn_mask` inside forward, which threads could see."""
    model, _ = clip.load(kit.vit, device="cpu")
    clip.model.convert_weights(model)
    block = model.transformer.resblocks[0]
    before = block.attn_mask
    model.encode_text(clip.tokenize("a cat"))
    assert block.attn_mask is before
    assert before.dtype is torch.float32
