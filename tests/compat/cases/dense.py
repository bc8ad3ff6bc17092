"""Dense features: towers taken apart, resized or rebound (MaskCLIP, CLIPSeg, DenseCLIP, Detic)."""

from __future__ import annotations

import math
import types

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


def _tokens(visual, pixels):
    """The ViT up to its blocks, at any picture size: [L, N, D]."""
    x = visual.conv1(pixels)
    grid = x.shape[-2:]
    x = x.reshape(x.shape[0], x.shape[1], -1).permute(0, 2, 1)
    zeros = torch.zeros(x.shape[0], 1, x.shape[-1], dtype=x.dtype, device=x.device)
    x = torch.cat([visual.class_embedding.to(x.dtype) + zeros, x], dim=1)
    positions = _resized_positions(visual.positional_embedding, grid)
    return visual.ln_pre(x + positions.to(x.dtype)).permute(1, 0, 2)


def _resized_positions(positions, grid):
    side = math.isqrt(positions.shape[0] - 1)
    if (side, side) == tuple(grid):
        return positions
    square = positions[1:].T.reshape(1, -1, side, side)
    resized = F.interpolate(square, size=tuple(grid), mode="bicubic", align_corners=False)
    return torch.cat([positions[:1], resized.flatten(2)[0].T])


def maskclip_vit(clip, kit):
    """The last block keeps only its value path; every place is projected, by a bound forward."""
    model, _ = clip.load(kit.vit, device="cpu")

    def forward(self, pixels):
        x = self.transformer.resblocks[:-1](_tokens(self, pixels))
        last = self.transformer.resblocks[-1]
        normed = last.ln_1(x)
        _, _, values = F.linear(normed, last.attn.in_proj_weight, last.attn.in_proj_bias).chunk(
            3, -1
        )
        x = x + F.linear(values, last.attn.out_proj.weight, last.attn.out_proj.bias)
        x = (x + last.mlp(last.ln_2(x))).permute(1, 0, 2)
        return self.ln_post(x)[:, 1:] @ self.proj

    model.visual.forward = types.MethodType(forward, model.visual)
    features = model.encode_image(kit.pixels(2, 96))
    texts = model.encode_text(clip.tokenize(["sky", "grass"]))
    return {"features": features, "logits": features @ texts.t()}


def maskclip_resnet(clip, kit):
    """`attnpool` becomes `Identity`; its projections turn into 1x1 convolutions."""
    model, _ = clip.load(kit.resnet, device="cpu")
    pool = model.visual.attnpool
    model.visual.attnpool = nn.Identity()
    x = model.encode_image(kit.pixels(1, 96))
    x = F.conv2d(x, pool.v_proj.weight[:, :, None, None], pool.v_proj.bias)
    return {"map": F.conv2d(x, pool.c_proj.weight[:, :, None, None], pool.c_proj.bias)}


class _DensePool(nn.Module):
    """DenseCLIP's attention pool: every place asks, and the positions are resized to the map."""

    def __init__(self, pool):
        super().__init__()
        self.pool = pool

    def forward(self, x):
        pool, (height, width) = self.pool, x.shape[-2:]
        positions = _resized_positions(pool.positional_embedding, (height, width))
        x = x.flatten(2).permute(2, 0, 1)
        x = torch.cat([x.mean(dim=0, keepdim=True), x]) + positions[:, None, :].to(x.dtype)
        x, _ = F.multi_head_attention_forward(
            x, x, x, x.shape[-1], pool.num_heads, None,
            torch.cat([pool.q_proj.bias, pool.k_proj.bias, pool.v_proj.bias]),
            None, None, False, 0, pool.c_proj.weight, pool.c_proj.bias,
            training=pool.training, need_weights=False, use_separate_proj_weight=True,
            q_proj_weight=pool.q_proj.weight, k_proj_weight=pool.k_proj.weight,
            v_proj_weight=pool.v_proj.weight,
        )  # fmt: skip
        return x[1:].permute(1, 2, 0).reshape(x.shape[1], -1, height, width)


def denseclip(clip, kit):
    """Feature maps of all four stages at an odd size, and the pool replaced."""
    model, _ = clip.load(kit.resnet, device="cpu")
    model.visual.attnpool = _DensePool(model.visual.attnpool)
    stages = {}
    for name in ("relu3", "layer1", "layer2", "layer3", "layer4"):
        getattr(model.visual, name).register_forward_hook(
            lambda module, inputs, output, name=name: stages.update({name: output[:, :4]})
        )
    return {"pooled": model.visual(kit.pixels(1, 160)), **stages}


def attention_pool_subclass(clip, kit):
    """A subclass that borrows the parts of the loaded pool without its constructor."""
    model, _ = clip.load(kit.resnet, device="cpu")

    class Weighted(clip.model.AttentionPool2d):
        def __init__(self, pool):
            nn.Module.__init__(self)
            for name in ("positional_embedding", "k_proj", "q_proj", "v_proj", "c_proj"):
                setattr(self, name, getattr(pool, name))
            self.num_heads = pool.num_heads

        def forward(self, x):
            return super().forward(x) * 0.5

    model.visual.attnpool = Weighted(model.visual.attnpool)
    return {"features": model.encode_image(kit.pixels(2, 96))}


def resnet_positions_resized(clip, kit):
    """A larger picture after `attnpool.positional_embedding` was resized in place."""
    model, _ = clip.load(kit.resnet, device="cpu")
    pool = model.visual.attnpool
    pool.positional_embedding = nn.Parameter(_resized_positions(pool.positional_embedding, (4, 4)))
    return {"features": model.encode_image(kit.pixels(2, 128))}


def vit_positions_resized(clip, kit):
    """A larger picture after `positional_embedding` was resized; the old size then fails."""
    model, _ = clip.load(kit.vit, device="cpu")
    visual = model.visual
    visual.positional_embedding = nn.Parameter(
        _resized_positions(visual.positional_embedding, (6, 6))
    )
    larger = model.encode_image(kit.pixels(2, 96))
    try:
        model.encode_image(kit.pixels(2, 64))
        refused = False
    except RuntimeError:
        refused = True
    return {"features": larger, "refused": refused}


def smaller_patches(clip, kit):
    """CLIPSeg's and FlexiViT's trick: `conv1.weight` resized, the stride changed."""
    model, _ = clip.load(kit.vit, device="cpu")
    conv = model.visual.conv1
    weight = F.interpolate(conv.weight, (8, 8), mode="bilinear", align_corners=True)
    conv.weight = nn.Parameter(weight)
    conv.kernel_size = conv.stride = (8, 8)
    visual = model.visual
    visual.positional_embedding = nn.Parameter(
        _resized_positions(visual.positional_embedding, (8, 8))
    )
    return {"features": model.encode_image(kit.pixels(2, 64))}


def overlapping_patches(clip, kit):
    """Dense patches by stride alone, with `conv1` swapped for a padded convolution with a bias."""
    model, _ = clip.load(kit.vit, device="cpu")
    conv = nn.Conv2d(3, model.visual.conv1.out_channels, 16, stride=12, padding=2)
    conv.weight.data = model.visual.conv1.weight.data
    conv.bias.data = kit.noise(*conv.bias.shape, scale=0.1)
    model.visual.conv1 = conv
    visual = model.visual
    visual.positional_embedding = nn.Parameter(
        _resized_positions(visual.positional_embedding, (5, 5))
    )
    return {"features": model.encode_image(kit.pixels(2, 64)), "dtype": str(model.dtype)}


def alpha_channel(clip, kit):
    """Alpha-CLIP: a fourth input channel for a mask."""
    model, _ = clip.load(kit.vit, device="cpu")
    conv = nn.Conv2d(4, model.visual.conv1.out_channels, 16, stride=16, bias=False)
    conv.weight.data = torch.cat([model.visual.conv1.weight.data, 0 * conv.weight.data[:, :1]], 1)
    conv.weight.data[:, 3] = kit.noise(16, 16, scale=0.1)
    model.visual.conv1 = conv
    pixels = torch.cat([kit.pixels(2), torch.ones(2, 1, 64, 64)], dim=1)
    return {"features": model.encode_image(pixels)}


def clipseg(clip, kit):
    """Activations and head-wise affinities of chosen blocks, computed from the raw weights."""
    model, _ = clip.load(kit.vit, device="cpu")
    model.requires_grad_(False)
    activations, affinities = [], []
    x = _tokens(model.visual, kit.pixels(2, 80))
    for block in model.visual.transformer.resblocks:
        attn = block.attn
        q, k, v = F.linear(block.ln_1(x), attn.in_proj_weight, attn.in_proj_bias).chunk(3, dim=-1)
        length, batch, width = q.shape
        shape = length, batch * attn.num_heads, attn.head_dim
        q, k, v = (part.contiguous().view(*shape).transpose(0, 1) for part in (q, k, v))
        weights = torch.softmax(attn.head_dim**-0.5 * q @ k.transpose(1, 2), dim=-1)
        mixed = (weights @ v).transpose(0, 1).contiguous().view(length, batch, width)
        x = x + attn.out_proj(mixed)
        x = x + block.mlp(block.ln_2(x))
        activations.append(x[:, :, :8])
        affinities.append(weights[:, 0])
    features = model.visual.ln_post(x.permute(1, 0, 2)[:, 0, :]) @ model.visual.proj
    return {"features": features, "x": torch.stack(activations), "a": torch.stack(affinities)}


def clipseg_untrained(clip, kit):
    """CLIPSeg's sizes read from an archive, then a plain `CLIP` of them filled by key."""
    weights = torch.jit.load(kit.vit, map_location="cpu").state_dict()
    layers = [k for k in weights if k.startswith("visual.") and k.endswith(".attn.in_proj_weight")]
    patch = weights["visual.conv1.weight"].shape[-1]
    grid = round((weights["visual.positional_embedding"].shape[0] - 1) ** 0.5)
    width = weights["ln_final.weight"].shape[0]
    model = clip.model.CLIP(
        weights["text_projection"].shape[1], patch * grid, len(layers),
        weights["visual.conv1.weight"].shape[0], patch,
        weights["positional_embedding"].shape[0], weights["token_embedding.weight"].shape[0],
        width, width // 64, 3,
    )  # fmt: skip
    for key in ("input_resolution", "context_length", "vocab_size"):
        del weights[key]
    report = model.load_state_dict(weights)
    logits, _ = model.eval()(kit.pixels(2), clip.tokenize(["a", "b"]))
    return {"report": [report.missing_keys, report.unexpected_keys], "logits": logits}


def detic(clip, kit):
    """Detic's classifier: averaged, normalised prompts as the rows of a detection head."""
    model, _ = clip.load(kit.vit, device="cpu")
    rows = []
    for name in ("cat", "traffic light"):
        prompts = [f"a {name}", f"a photo of a {name}.", f"itap of a {name}"]
        texts = model.encode_text(clip.tokenize(prompts))
        texts = texts / texts.norm(dim=-1, keepdim=True)
        rows.append(F.normalize(texts.mean(dim=0), p=2, dim=0))
    head = torch.stack(rows).detach().permute(1, 0).contiguous()
    regions = F.normalize(model.visual(kit.pixels(3)), dim=1)
    return {"scores": 50.0 * regions @ head}


def sclip_correlative_attention(clip, kit):
    """Training-free segmentation: the last `attn` runs twice with hand-made q-q and k-k weights."""
    model, _ = clip.load(kit.vit, device="cpu")
    last = model.visual.transformer.resblocks[-1]

    def attention(x):
        attn = last.attn
        length, batch, width = x.shape
        q, k, v = (F.linear(x, attn.in_proj_weight, attn.in_proj_bias)).chunk(3, dim=-1)
        heads = [t.reshape(length, batch * attn.num_heads, -1).transpose(0, 1) for t in (q, k, v)]
        q, k, v = heads
        scale = q.shape[-1] ** -0.5
        weights = (scale * q @ q.mT).softmax(-1) + (scale * k @ k.mT).softmax(-1)
        return attn.out_proj((weights @ v).transpose(0, 1).reshape(length, batch, width))

    last.attention = attention
    return {"features": model.encode_image(kit.pixels(2))}
