"""Replaced classes, functions and globals: seen by `load`, `build_model` and the constructors."""

from __future__ import annotations

import types
from unittest import mock

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


def _classes(model):
    return sorted({f"{type(m).__module__}.{type(m).__qualname__}" for m in model.modules()})


def torch_layer_norm(clip, kit):
    """magma and BLIP's interrogator: `clip.model.LayerNorm = nn.LayerNorm` before `load`."""
    with mock.patch.object(clip.model, "LayerNorm", nn.LayerNorm):
        model, _ = clip.load(kit.vit, device="cpu")
    logits, _ = model(kit.pixels(2), clip.tokenize(["a", "b"]))
    return {"classes": _classes(model), "logits": logits}


class _Normalisation(nn.LayerNorm):
    def forward(self, x):
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, 1e-2)


def own_layer_norm(clip, kit):
    """A class of the caller's own in the place of LayerNorm, also for a plain constructor."""
    with mock.patch.object(clip.model, "LayerNorm", _Normalisation):
        model, _ = clip.load(kit.vit, device="cpu")
        block = clip.model.ResidualAttentionBlock(64, 1)
    kinds = {type(module).__name__ for module in model.modules()}
    logits, _ = model(kit.pixels(2), clip.tokenize(["a", "b"]))
    return {"kinds": sorted(kinds), "block": type(block.ln_1).__name__, "logits": logits}


def layer_norm_with_its_own_epsilon(clip, kit):
    """A LayerNorm whose constructor asks for another epsilon keeps it."""

    class Coarse(nn.LayerNorm):
        def __init__(self, width):
            super().__init__(width, eps=1e-2)

    with mock.patch.object(clip.model, "LayerNorm", Coarse):
        model, _ = clip.load(kit.vit, device="cpu")
    logits, _ = model(kit.pixels(2), clip.tokenize(["a", "b"]))
    return {"epsilon": model.ln_final.eps, "logits": logits}


def other_activation(clip, kit):
    """`QuickGELU` replaced by GELU, as users of LAION's weights do."""
    with mock.patch.object(clip.model, "QuickGELU", nn.GELU):
        model, _ = clip.load(kit.vit, device="cpu")
    logits, _ = model(kit.pixels(2), clip.tokenize(["a", "b"]))
    return {"activation": type(model.transformer.resblocks[0].mlp.gelu).__name__, "logits": logits}


def _nothing(model):
    """Stands for `convert_weights` of those who want fp32."""


def torch_attention(clip, kit):
    """`nn.MultiheadAttention` replaced by a subclass while the model is built."""

    class Attention(nn.MultiheadAttention):
        def forward(self, query, key, value, **arguments):
            output, weights = super().forward(query, key, value, **arguments)
            return output * 1.1, weights

    with mock.patch.object(nn, "MultiheadAttention", Attention):
        model, _ = clip.load(kit.vit, device="cpu")
    kind = type(model.visual.transformer.resblocks[0].attn).__name__
    return {"kind": kind, "logits": model(kit.pixels(2), clip.tokenize(["a", "b"]))[0]}


def functional_attention(clip, kit):
    """`F.multi_head_attention_forward` and SDPA replaced after `load`, as daam and others do."""
    model, _ = clip.load(kit.vit, device="cpu")
    deep, _ = clip.load(kit.resnet, device="cpu")
    original, calls = F.multi_head_attention_forward, []

    def forward(*args, **kwargs):
        calls.append(kwargs["need_weights"])
        output, weights = original(*args, **kwargs)
        return output * 1.2, weights

    with mock.patch.object(F, "multi_head_attention_forward", forward):
        logits, _ = model(kit.pixels(2), clip.tokenize(["a", "b"]))
        pooled = deep.encode_image(kit.pixels(1, 96))
    return {"calls": calls, "logits": logits, "pooled": pooled}


def class_forward(clip, kit):
    """opacus users: `forward` of the block and `convert_weights` replaced before `load`."""

    def forward(self, x):
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))

    with (
        mock.patch.object(clip.model, "convert_weights", _nothing),
        mock.patch.object(clip.model.ResidualAttentionBlock, "forward", forward),
    ):
        model, _ = clip.load(kit.vit, device="cpu")
        logits, _ = model(kit.pixels(2), clip.tokenize(["a", "b"]))
    return {"logits": logits}


def class_attention_of_a_loaded_model(clip, kit):
    """CLIP-ONNX: `ResidualAttentionBlock.attention` replaced after `load`, then put back."""
    model, _ = clip.load(kit.vit, device="cpu")
    texts = clip.tokenize(["a cat"])

    def attention(self, x):
        mask = self.attn_mask.to(dtype=x.dtype) if self.attn_mask is not None else None
        return 0.5 * self.attn(x, x, x, need_weights=True, attn_mask=mask)[0]

    with mock.patch.object(clip.model.ResidualAttentionBlock, "attention", attention):
        patched = model.encode_text(texts)
    return {"patched": patched, "after": model.encode_text(texts)}


def instance_methods(clip, kit):
    """`attention`, `forward` and `encode_image` bound to single instances."""
    model, _ = clip.load(kit.vit, device="cpu")
    first, second = model.visual.transformer.resblocks[:2]
    first.attention = types.MethodType(lambda self, x: self.attn(x, x, x)[0] * 2, first)
    second.forward = lambda x: x + second.mlp(second.ln_2(x))
    model.visual.transformer.forward = lambda x: model.visual.transformer.resblocks(x) + 0.1
    model.encode_text = lambda text: torch.ones(text.shape[0], 64)
    logits, _ = model(kit.pixels(2), clip.tokenize(["a", "b"]))
    return {"logits": logits}


def no_conversion(clip, kit):
    """`convert_weights` replaced by nothing: `build_model` then gives fp32."""
    with mock.patch.object(clip.model, "convert_weights", _nothing):
        weights = torch.load(kit.vit_state_dict, map_location="cpu")
        model = clip.model.build_model(weights)
    return {
        "dtypes": sorted({str(weight.dtype) for weight in model.parameters()}),
        "logits": model(kit.pixels(2), clip.tokenize(["a", "b"]))[0],
    }


def other_pool_and_bottleneck(clip, kit):
    """The ResNet's parts replaced in the module: subclasses of them are built instead."""

    class Pool(clip.model.AttentionPool2d):
        def forward(self, x):
            return super().forward(x) + 1

    class Block(clip.model.Bottleneck):
        def forward(self, x):
            return super().forward(x) * 0.5

    with (
        mock.patch.object(clip.model, "AttentionPool2d", Pool),
        mock.patch.object(clip.model, "Bottleneck", Block),
    ):
        model, _ = clip.load(kit.resnet, device="cpu")
    kinds = sorted({type(module).__name__ for module in model.modules()})
    return {"kinds": kinds, "features": model.encode_image(kit.pixels(2, 96))}


def other_towers(clip, kit):
    """`VisionTransformer` and `Transformer` replaced by subclasses with other constructors."""

    class Vision(clip.model.VisionTransformer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.made_with = [args, kwargs]

    class Blocks(clip.model.Transformer):
        def __init__(self, width, layers, heads, attn_mask=None):
            super().__init__(width, layers, heads, attn_mask=attn_mask)
            self.heads = heads

    with (
        mock.patch.object(clip.model, "VisionTransformer", Vision),
        mock.patch.object(clip.model, "Transformer", Blocks),
    ):
        model, _ = clip.load(kit.vit, device="cpu")
    return {
        "made_with": model.visual.made_with,
        "heads": [model.transformer.heads, model.visual.transformer.heads],
        "logits": model(kit.pixels(2), clip.tokenize(["a", "b"]))[0],
    }


def replaced_clip_class(clip, kit):
    """X-CLIP and CLIP4Clip: `CLIP` itself subclassed, filled from `state_dict`, or put in place."""

    class Video(clip.model.CLIP):
        def __init__(self, *args, frames=2, **kwargs):
            super().__init__(*args, **kwargs)
            self.frames = frames
            self.mean_weight = nn.Parameter(torch.ones(frames) / frames)

        def encode_video(self, video):
            features = self.encode_image(video.flatten(0, 1))
            return (features.view(*video.shape[:2], -1) * self.mean_weight[:, None]).sum(dim=1)

    model = Video(64, 64, 3, 128, 16, 77, 49408, 128, 2, 3, frames=2)
    report = model.load_state_dict(torch.load(kit.vit_state_dict), strict=False)
    video = kit.pixels(4).view(2, 2, 3, 64, 64)

    class Loud(clip.model.CLIP):
        def encode_image(self, image):
            return super().encode_image(image) * 2

    with mock.patch.object(clip.model, "CLIP", Loud):
        loud, _ = clip.load(kit.vit, device="cpu")
    return {
        "missing": report.missing_keys,
        "video": model.encode_video(video),
        "loud": loud.encode_image(kit.pixels(1)),
        "is_loud": isinstance(loud, Loud),
    }


def block_and_tower_subclasses(clip, kit):
    """Subclasses of a block, a ViT and a ResNet built by hand and given the loaded weights."""
    base, _ = clip.load(kit.vit, device="cpu")

    class Gated(clip.model.ResidualAttentionBlock):
        def __init__(self, d_model, n_head, attn_mask=None):
            super().__init__(d_model, n_head, attn_mask)
            self.gate = nn.Parameter(torch.full((1,), 0.7))

        def forward(self, x):
            return x + self.gate * (super().forward(x) - x)

    class Patches(clip.model.VisionTransformer):
        def forward(self, x):
            x = self.conv1(x).flatten(2).permute(0, 2, 1)
            return self.ln_pre(x + self.positional_embedding[1:]).permute(1, 0, 2)

    class Stem(clip.model.ModifiedResNet):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.layer5 = self._make_layer(16, 2, stride=2)

        def forward(self, x):
            return self.relu1(self.bn1(self.conv1(x)))

    gated = Gated(128, 2)
    gated.load_state_dict(base.visual.transformer.resblocks[0].state_dict(), strict=False)
    patches = Patches(64, 16, 128, 3, 2, 64)
    patches.load_state_dict(base.visual.state_dict())
    stem = Stem((1, 2, 1, 1), 64, 4, 96, 8)
    deep, _ = clip.load(kit.resnet, device="cpu")
    stem.load_state_dict(deep.visual.state_dict(), strict=False)
    tokens = patches(kit.pixels(2))
    return {
        "gated": gated(tokens),
        "tokens": tokens,
        "stem": stem.eval()(kit.pixels(1, 96))[..., ::6, ::6],
        "layer5": [list(shape) for shape in (weight.shape for weight in stem.layer5.parameters())],
        "inplanes": stem._inplanes,
    }


def models_table(clip, kit):
    """`_MODELS` assigned or extended: `available_models` and `load` read it when called."""
    fetched = []

    def download(url, root=None):
        fetched.append([url, root is not None])
        return kit.vit

    with (
        mock.patch.object(clip.clip, "_MODELS", {"mine": "https://example.org/aa/mine.pt"}),
        mock.patch.object(clip.clip, "_download", download),
    ):
        names = clip.available_models()
        clip.clip._MODELS["other"] = "https://example.org/bb/other.pt"
        names += clip.clip.available_models()
        model, _ = clip.load("mine", device="cpu")
        clip.load("other", device="cpu", download_root=str(kit.folder))
        try:
            clip.load("ViT-B/32")
        except RuntimeError as error:
            refusal = str(error).partition("]")[0]
    return {
        "names": names,
        "fetched": [url for url, _ in fetched],
        "refusal": refusal,
        "features": model.encode_text(clip.tokenize("a cat")),
    }


def tokenizer_global(clip, kit):
    """`clip.clip._tokenizer` replaced by one with more words, or by another object."""

    class Letters:
        def __init__(self):
            self.encoder = {"<|startoftext|>": 1, "<|endoftext|>": 2}

        def encode(self, text):
            return [ord(letter) for letter in text]

    wider = clip.simple_tokenizer.SimpleTokenizer()
    wider.encoder["<|endoftext|>"] = 49500
    with mock.patch.object(clip.clip, "_tokenizer", Letters()):
        letters = clip.tokenize(["abc", "z"], context_length=6).long()
    with mock.patch.object(clip.clip, "_tokenizer", wider):
        moved = clip.tokenize("a cat", context_length=8).long()
    return {"letters": letters, "moved": moved, "after": clip.tokenize("a cat").long()}


def transform_global(clip, kit):
    """`clip.clip._transform` replaced: `load` gives what it returns."""
    with mock.patch.object(clip.clip, "_transform", lambda pixels: f"transform of {pixels}"):
        _, preprocess = clip.load(kit.vit, device="cpu")
    return {"preprocess": preprocess}


def build_model_that_adds_weights(clip, kit):
    """`build_model` replaced by one whose model is larger than the file (prompts, adapters)."""

    def build(weights):
        model = clip.model.build_model(weights)
        model.register_parameter("prompt", nn.Parameter(torch.ones(2)))
        model.transformer.resblocks[0].mlp.c_proj = nn.Sequential(
            model.transformer.resblocks[0].mlp.c_proj, nn.Identity()
        )
        return model

    features = []
    with mock.patch.object(clip.clip, "build_model", build):
        for path in (kit.vit, kit.vit_state_dict):
            model, _ = clip.load(path, device="cpu")
            features.append(model.encode_text(clip.tokenize("a")))
    return {"features": torch.cat(features), "dtype": str(model.prompt.dtype)}


def build_model_of_another_kind(clip, kit):
    """`build_model` replaced by one that wraps the model in a class of the caller's."""

    class Wrapper(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.visual = nn.Module()
            self.visual.input_resolution = 48
            self.inner = model

    with mock.patch.object(clip.clip, "build_model", lambda w: Wrapper(clip.model.build_model(w))):
        model, preprocess = clip.load(kit.vit, device="cpu")
    features = model.inner.encode_image(kit.pixels(1))
    return {"features": features, "pixels": preprocess(kit.picture())[:, ::5, ::5]}


def build_model_global(clip, kit):
    """`clip.clip.build_model` replaced: `load` of an archive calls it with the state dict."""
    seen = []

    def build(weights):
        seen.extend([sorted(weights)[:2], "visual.proj" in weights])
        return clip.model.build_model(dict(weights))

    with mock.patch.object(clip.clip, "build_model", build):
        model, _ = clip.load(kit.vit, device="cpu")
    return {"seen": seen, "features": model.encode_text(clip.tokenize("a"))}
