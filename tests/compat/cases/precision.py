"""fp16 rules: what `convert_weights` touches, and what towers and norms compute in half."""

from __future__ import annotations

import torch
from torch import nn


class _Everything(nn.Module):
    """Every kind of layer that the rules speak of, and some that they do not."""

    def __init__(self):
        super().__init__()
        self.conv1d, self.conv2d = nn.Conv1d(2, 2, 1), nn.Conv2d(2, 2, 1, bias=False)
        self.conv3d, self.transposed = nn.Conv3d(2, 2, 1), nn.ConvTranspose2d(2, 2, 1)
        self.linear, self.bilinear = nn.Linear(2, 2), nn.Bilinear(2, 2, 2)
        self.attention = nn.MultiheadAttention(4, 2)
        self.cross = nn.MultiheadAttention(4, 2, kdim=3, vdim=2, add_bias_kv=True)
        self.norm, self.batch = nn.LayerNorm(2), nn.BatchNorm2d(2)
        self.embedding, self.group = nn.Embedding(2, 2), nn.GroupNorm(1, 2)
        self.text_projection = nn.Parameter(torch.ones(2, 2))
        self.proj = nn.Parameter(torch.ones(2, 2))
        self.projection = nn.Parameter(torch.ones(2, 2))
        self.inner = nn.Module()
        self.inner.proj = None
        self.inner.text_projection = nn.Parameter(torch.ones(2))
        self.register_buffer("buffer", torch.ones(2))


def converted_layers(clip, kit):
    """The dtype of every weight and buffer after `convert_weights`, which returns None."""
    module = _Everything()
    weights = {name: id(weight) for name, weight in module.named_parameters()}
    returned = clip.model.convert_weights(module)
    same = [weights[name] == id(weight) for name, weight in module.named_parameters()]
    dtypes = {
        name: str(t.dtype) for name, t in (*module.named_parameters(), *module.named_buffers())
    }
    return {"dtypes": dtypes, "returned": returned, "same_parameters": all(same)}


def half_forward(clip, kit):
    """Both towers in fp16 on CPU: values and dtypes of features and logits."""
    results = {}
    for kind, path, size in (("vit", kit.vit, 64), ("resnet", kit.resnet, 96)):
        model, _ = clip.load(path, device="cpu")
        clip.model.convert_weights(model)
        pixels, text = kit.pixels(2, size), clip.tokenize(["a cat", "two dogs"])
        results[f"{kind} picture"] = model.encode_image(pixels)
        results[f"{kind} picture of half"] = model.encode_image(pixels.half())
        results[f"{kind} text"] = model.encode_text(text)
        results[f"{kind} logits"] = model(pixels, text)[0]
        results[f"{kind} dtype"] = str(model.dtype)
    return results


def half_gradients(clip, kit):
    """Gradients of an fp16 model, each in the dtype of its weight."""
    model, _ = clip.load(kit.vit, device="cpu")
    clip.model.convert_weights(model)
    model.encode_image(kit.pixels(2)).float().sum().backward()
    model.encode_text(clip.tokenize("a cat")).float().sum().backward()
    block = model.visual.transformer.resblocks[1]
    return {
        "dtypes": [
            [n, str(w.grad.dtype)] for n, w in model.named_parameters() if w.grad is not None
        ],
        "norm": block.ln_1.weight.grad.half(),
        "linear": block.mlp.c_fc.bias.grad,
        "attention": block.attn.in_proj_bias.grad,
        "positions": model.positional_embedding.grad.half(),
    }


def layer_norm(clip, kit):
    """Computed in fp32 whatever comes in; the dtype that came in goes out."""
    norm = clip.model.LayerNorm(64)
    norm.weight.data, norm.bias.data = kit.noise(64, seed=1), kit.noise(64, seed=2)
    x = 50 * kit.noise(3, 64)
    two = clip.model.LayerNorm((3, 64), eps=0.1)
    return {
        "float": norm(x),
        "half": norm(x.half()),
        "bfloat": norm(x.bfloat16()).half(),
        "dtypes": [
            str(norm(x.to(dtype)).dtype) for dtype in (torch.half, torch.bfloat16, torch.double)
        ],
        "two": two(x),
        "eps": norm.eps,
        "shape": list(two.normalized_shape),
    }


def quick_gelu(clip, kit):
    """The activation's formula, out of place, in any dtype."""
    x = 3 * kit.noise(2, 40)
    before = x.clone()
    activation = clip.model.QuickGELU()
    return {"float": activation(x), "half": activation(x.half()), "kept": bool((x == before).all())}


def other_devices_keep_half(clip, kit):
    """`load` for a device other than the CPU keeps the fp16 weights and their exceptions."""
    model, _ = clip.load(kit.vit, device="meta")
    deep, _ = clip.load(kit.resnet, device=torch.device("meta"))
    return {
        kind: [[name, str(t.dtype), str(t.device)] for name, t in m.state_dict().items()]
        for kind, m in (("vit", model), ("resnet", deep))
    }


def cast_after_loading(clip, kit):
    """`.float()` after `convert_weights`, and single parts cast by hand."""
    model, _ = clip.load(kit.vit, device="cpu")
    clip.model.convert_weights(model)
    model.float()
    logits, _ = model(kit.pixels(2), clip.tokenize(["a", "b"]))
    half = model.visual.half()
    return {"logits": logits, "half": [str(p.dtype) for p in half.parameters()][:4]}
