"""CLIP's towers for training: OpenAI's architecture and names, laid out for speed on a CPU."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

HEAD = 64  # width of an attention head, in all of OpenAI's models


@dataclass(frozen=True)
class Shape:
    resolution: int = 64
    patch: int = 8
    vision_width: int = 128
    vision_layers: int = 4
    text_width: int = 128
    text_layers: int = 3
    embed_dim: int = 128
    context: int = 77
    vocabulary: int = 49408

    def as_text(self) -> dict[str, str]:
        return {key: str(value) for key, value in asdict(self).items()}


class Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.randn(3 * width, width) * width**-0.5)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:  # [n, length, width]
        n, length, width = x.shape
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = qkv.view(n, length, 3, width // HEAD, HEAD).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) * HEAD**-0.5  # the backward of SDPA is slow on a CPU
        if mask is not None:
            scores = scores + mask
        mixed = scores.softmax(-1).to(v.dtype) @ v
        return self.out_proj(mixed.transpose(1, 2).reshape(n, length, width))


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = Attention(width)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict(
            {"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)}
        )
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self.attn(self.ln_1(x), mask)
        hidden = self.mlp["c_fc"](self.ln_2(x))
        return x + self.mlp["c_proj"](hidden * torch.sigmoid(1.702 * hidden))


class Transformer(nn.Module):
    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width) for _ in range(layers))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for block in self.resblocks:
            x = block(x, mask)
        return x


class Vision(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, self.patch = shape.vision_width, shape.patch
        patches = (shape.resolution // shape.patch) ** 2
        self.conv1 = nn.Conv2d(3, width, shape.patch, shape.patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positional_embedding = nn.Parameter(torch.randn(patches + 1, width) * width**-0.5)
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, shape.vision_layers)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.randn(width, shape.embed_dim) * width**-0.5)

    def forward(self, image: Tensor) -> Tensor:  # [n, 3, side, side] to [n, embed_dim]
        patches = F.unfold(image, self.patch, stride=self.patch).transpose(1, 2)
        x = patches @ self.conv1.weight.flatten(1).T
        first = self.class_embedding.to(x.dtype).expand(len(x), 1, -1)
        x = self.ln_pre(torch.cat((first, x), 1) + self.positional_embedding)
        return self.ln_post(self.transformer(x)[:, 0]) @ self.proj


class TinyClip(nn.Module):
    """CLIP with the token rows of `tokens` only: all the words that training ever shows."""

    def __init__(self, shape: Shape, tokens: int) -> None:
        super().__init__()
        width = shape.text_width
        self.visual = Vision(shape)
        self.transformer = Transformer(width, shape.text_layers)
        self.token_embedding = nn.Embedding(tokens, width)
        self.positional_embedding = nn.Parameter(torch.randn(shape.context, width) * 0.01)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, shape.embed_dim) * width**-0.5)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        for tower, layers in ((self.visual, shape.vision_layers), (self, shape.text_layers)):
            for block in tower.transformer.resblocks:
                for linear in (block.attn.out_proj, block.mlp["c_proj"]):
                    nn.init.normal_(linear.weight, std=(2 * layers * linear.in_features) ** -0.5)

    def encode_image(self, image: Tensor) -> Tensor:
        return self.visual(image)

    def encode_text(self, rows: Tensor, end: Tensor) -> Tensor:  # [n, length], [n]
        length = rows.shape[1]
        mask = torch.full((length, length), float("-inf")).triu(1)
        x = self.token_embedding(rows) + self.positional_embedding[:length]
        x = self.transformer(x, mask)[torch.arange(len(x)), end]
        return self.ln_final(x) @ self.text_projection
