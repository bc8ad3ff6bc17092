"""Whole models and their parts pickled on one side are read on the other."""

from __future__ import annotations

import io
import lzma
import pickletools
import sys
import zipfile

import pytest
import torch

import clip

from .conftest import HERE, ROOT, call

KINDS = ["vit", "resnet"]
CLASSES = ["CLIP", "VisionTransformer", "ModifiedResNet", "AttentionPool2d", "Bottleneck",
           "Transformer", "ResidualAttentionBlock", "LayerNorm", "QuickGELU"]  # fmt: skip


@pytest.fixture(scope="module")
def by_openai():
    """Two models that openai/CLIP's own code pickled, with inputs and the logits it gave."""
    data = (HERE / "golden" / "pickled_by_openai.pt.xz").read_bytes()
    return torch.load(io.BytesIO(lzma.decompress(data)), weights_only=False)


def _assert_close(got, expected):
    largest = float(expected.abs().max())
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5 * largest)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_pickled_by_the_original_runs_here(by_openai, kind):
    kept = by_openai[kind]
    model = kept["model"]
    assert type(model) is clip.model.CLIP
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            logits, transposed = model(kept["pixels"], kept["text"])
        _assert_close(logits, kept["logits"])
        _assert_close(transposed, kept["logits"].t())


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_pickled_by_the_original_is_used_as_any_other(by_openai, kind):
    kept = by_openai[kind]
    model = kept["model"]
    block = model.transformer.resblocks[0]
    assert block.attn_mask.shape == (12, 12)
    assert model.build_attention_mask().shape == (12, 12)

    halved = torch.load(_saved(model), weights_only=False)
    clip.model.convert_weights(halved)
    assert halved.dtype is torch.float16
    logits = halved(kept["pixels"], kept["text"])[0].float()
    torch.testing.assert_close(logits, kept["logits"], rtol=0, atol=0.05)

    halved.float().initialize_parameters()
    assert halved.double().encode_text(kept["text"]).dtype is torch.float64


def _saved(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return file


@pytest.mark.parametrize("kind", KINDS)
def test_our_pickles_name_only_what_the_original_has(kit, kind):
    model, _ = clip.load(getattr(kit, kind), device="cpu")
    with zipfile.ZipFile(_saved(model)) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        found = _globals(archive.read(name))
    ours = {reference for reference in found if reference.startswith("clip")}
    assert ours <= {f"clip.model {name}" for name in CLASSES}
    assert "clip.model CLIP" in ours


def _globals(pickle):
    """The "module name" pairs that a pickle of protocol 2 refers to."""
    return {argument for opcode, argument, _ in pickletools.genops(pickle)
            if opcode.name == "GLOBAL"}  # fmt: skip


READ_OURS = """
import sys, torch
sys.path.insert(0, {here!r})
from runner import prepare_torchvision
prepare_torchvision()
import clip
kept = torch.load({path!r}, weights_only=False)
assert "site-packages" in clip.__file__
for kind, (model, pixels, text, logits) in kept.items():
    got, _ = model(pixels, text)
    assert (got - logits).abs().max() <= 1e-5 * logits.abs().max(), kind
    model.initialize_parameters()
    clip.model.convert_weights(model)
    assert model.encode_text(text).dtype is torch.float16
print(sorted(kept))
"""


def test_the_original_reads_models_that_we_pickled(kit, peers_python):
    kept = {}
    for kind, size in (("vit", 64), ("resnet", 96)):
        model, _ = clip.load(getattr(kit, kind), device="cpu")
        inputs = kit.pixels(2, size), clip.tokenize(["a cat", "two dogs"])
        kept[kind] = (model, *inputs, model(*inputs)[0].detach())
    path = kit.folder / "pickled_by_us.pt"
    torch.save(kept, path)
    assert "'resnet', 'vit'" in call(
        peers_python, "-c", READ_OURS.format(here=str(HERE), path=str(path))
    )


WRITE_THEIRS = """
import pickle, sys, torch
sys.path.insert(0, {here!r})
from runner import prepare_torchvision
prepare_torchvision()
import clip
model, preprocess = clip.load({archive!r}, device="cpu")
tokenizer = clip.simple_tokenizer.SimpleTokenizer()
tokenizer.encoder["cat</w>"] = 9
torch.save(dict(model=model, preprocess=preprocess, tokenizer=tokenizer), {path!r})
"""

READ_THEIRS = """
import sys, torch
sys.path.append({also!r})
sys.path.insert(0, {here!r})
from runner import prepare_torchvision
prepare_torchvision()
from materials import Kit
from pathlib import Path
import clip
kit = Kit(Path({folder!r}))
kept = torch.load({path!r}, weights_only=False)
model, preprocess = clip.load(kit.vit, device="cpu")
picture = kit.picture("RGBA")
assert torch.equal(kept["preprocess"](picture), preprocess(picture))
ids = kept["tokenizer"].encode("a cat")
assert ids == [320, 9], ids
assert torch.equal(kept["model"].encode_image(kit.pixels(2)), model.encode_image(kit.pixels(2)))
print("read")
"""


def test_we_read_what_the_original_pickled(kit, peers_python, lent_packages):
    """WiSE-FT keeps the whole model with its preprocessing in one file."""
    path = str(kit.folder / "pickled_by_them.pt")
    here, also = str(HERE), str(lent_packages)
    call(peers_python, "-c", WRITE_THEIRS.format(here=here, archive=kit.vit, path=path))
    program = READ_THEIRS.format(also=also, here=here, folder=str(kit.folder), path=path)
    assert call(sys.executable, "-c", program, source=ROOT / "src").strip() == "read"
