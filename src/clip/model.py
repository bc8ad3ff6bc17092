"""The towers of CLIP (Radford et al. 2021, https://arxiv.org/abs/2103.00020). Only mathematics.

Names, shapes, initialisation and order of operations are those of openai/CLIP, because research
code reaches into all of them. Shapes at the line ends: N batch, L sequence, D width, E embedding.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, TypeVar, cast
from typing import Tuple as Tuple  # noqa: UP035
from typing import Union as Union

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # as all the world calls it
from torch import Tensor, nn

from . import kernels
from .architecture import Architecture
from .construction import definitions, same_definitions, without_values

# No __all__: code in the wild says `from clip.model import *` and then uses what the original's
# file imported, as torch, nn, F, np, OrderedDict, Tuple and Union.

Self = TypeVar("Self", bound="Transformer")


class Bottleneck(nn.Module):
    """A residual block of `ModifiedResNet`: 1x1, 3x3 and 1x1 convolutions.

    Every convolution has stride 1; where the block shrinks the picture, an average pool before
    the last convolution (and one on the shortcut) does it, which avoids aliasing.

    Args:
        inplanes: channels that come in.
        planes: channels in the middle; `planes * expansion` go out.
        stride: how much the picture shrinks.
    """

    expansion = 4

    def __init__(self, inplanes: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        outplanes = planes * self.expansion

        self.conv1 = nn.Conv2d(inplanes, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu1 = nn.ReLU(inplace=True)

        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu2 = nn.ReLU(inplace=True)

        self.avgpool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()

        self.conv3 = nn.Conv2d(planes, outplanes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outplanes)
        self.relu3 = nn.ReLU(inplace=True)

        self.downsample: nn.Sequential | None = None
        self.stride = stride
        if stride > 1 or inplanes != outplanes:
            pool, conv = nn.AvgPool2d(stride), nn.Conv2d(inplanes, outplanes, 1, bias=False)
            norm = nn.BatchNorm2d(outplanes)
            self.downsample = nn.Sequential(OrderedDict([("-1", pool), ("0", conv), ("1", norm)]))

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.relu2(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(self.avgpool(out)))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu3(out)  # [N, planes * expansion, H / stride, W / stride]


class AttentionPool2d(nn.Module):
    """Pools a feature map by attention: the mean of all places asks, every place answers.

    The four projections are used as weights inside one attention call, so their forward hooks
    never fire (as in openai/CLIP).

    Args:
        spacial_dim: side of the square feature map.
        embed_dim: channels of the feature map.
        num_heads: attention heads.
        output_dim: width of the result; `embed_dim` if None.
    """

    def __init__(
        self, spacial_dim: int, embed_dim: int, num_heads: int, output_dim: int | None = None
    ) -> None:
        super().__init__()
        places = spacial_dim**2 + 1
        self.positional_embedding = nn.Parameter(torch.randn(places, embed_dim) / embed_dim**0.5)
        self.k_proj = nn.Linear(embed_dim, embed_dim)
        self.q_proj = nn.Linear(embed_dim, embed_dim)
        self.v_proj = nn.Linear(embed_dim, embed_dim)
        self.c_proj = nn.Linear(embed_dim, output_dim or embed_dim)
        self.num_heads = num_heads

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(start_dim=2).permute(2, 0, 1)  # NCHW -> [HW, N, C]
        x = torch.cat([x.mean(dim=0, keepdim=True), x], dim=0)  # [HW + 1, N, C]
        x = x + self.positional_embedding[:, None, :].to(x.dtype)
        x, _ = F.multi_head_attention_forward(
            query=x[:1],
            key=x,
            value=x,
            embed_dim_to_check=x.shape[-1],
            num_heads=self.num_heads,
            in_proj_weight=None,
            in_proj_bias=torch.cat([self.q_proj.bias, self.k_proj.bias, self.v_proj.bias]),
            bias_k=None,
            bias_v=None,
            add_zero_attn=False,
            dropout_p=0.0,
            out_proj_weight=self.c_proj.weight,
            out_proj_bias=self.c_proj.bias,
            training=self.training,
            need_weights=False,
            use_separate_proj_weight=True,
            q_proj_weight=self.q_proj.weight,
            k_proj_weight=self.k_proj.weight,
            v_proj_weight=self.v_proj.weight,
        )
        return x.squeeze(0)  # [N, output_dim]


class ModifiedResNet(nn.Module):
    """The ResNet tower of the paper (section 2.4), after ResNet-D.

    Three convolutions make the stem, average pools replace max pools and strides, and attention
    pools the last feature map.

    Args:
        layers: blocks of each of the four stages.
        output_dim: width of the features.
        heads: attention heads of the pool.
        input_resolution: side of the square pictures, in pixels.
        width: channels after the stem.
    """

    def __init__(
        self,
        layers: Sequence[int],
        output_dim: int,
        heads: int,
        input_resolution: int = 224,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.output_dim = output_dim
        self.input_resolution = input_resolution

        self.conv1 = nn.Conv2d(3, width // 2, kernel_size=3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width // 2)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width // 2, width // 2, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width // 2)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(width // 2, width, kernel_size=3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.relu3 = nn.ReLU(inplace=True)
        self.avgpool = nn.AvgPool2d(2)

        self._inplanes = width  # `_make_layer` moves it on from stage to stage
        self.layer1 = self._make_layer(width, layers[0])
        self.layer2 = self._make_layer(width * 2, layers[1], stride=2)
        self.layer3 = self._make_layer(width * 4, layers[2], stride=2)
        self.layer4 = self._make_layer(width * 8, layers[3], stride=2)

        self.attnpool = AttentionPool2d(input_resolution // 32, width * 32, heads, output_dim)

    def _make_layer(self, planes: int, blocks: int, stride: int = 1) -> nn.Sequential:
        layers = [Bottleneck(self._inplanes, planes, stride)]
        self._inplanes = planes * Bottleneck.expansion
        layers += [Bottleneck(self._inplanes, planes) for _ in range(1, blocks)]
        return nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures [N, 3, H, W] to features [N, output_dim]."""
        x = x.type(self.conv1.weight.dtype)
        x = self.relu1(self.bn1(self.conv1(x)))  # [N, width / 2, H / 2, W / 2]
        x = self.relu2(self.bn2(self.conv2(x)))
        x = self.relu3(self.bn3(self.conv3(x)))
        x = self.avgpool(x)  # [N, width, H / 4, W / 4]
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.layer4(x)  # [N, width * 32, H / 32, W / 32]
        return self.attnpool(x)


class LayerNorm(nn.LayerNorm):
    """torch's LayerNorm that computes at least in float32 and returns the dtype that came in."""

    def forward(self, x: Tensor) -> Tensor:
        dtype = torch.float32
        if self.weight is not None:
            dtype = torch.promote_types(dtype, self.weight.dtype)
        weight, bias = (p if p is None else p.to(dtype) for p in (self.weight, self.bias))
        return F.layer_norm(x.to(dtype), self.normalized_shape, weight, bias, self.eps).to(x.dtype)


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), the approximation of GELU that OpenAI's models were trained with."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class ResidualAttentionBlock(nn.Module):
    """A pre-norm transformer block on sequences [L, N, D].

    Args:
        d_model: width D.
        n_head: attention heads.
        attn_mask: None, or a mask [context, context] that is added to the attention logits. It is
            no part of the state dict, and blocks may share it.
    """

    def __init__(self, d_model: int, n_head: int, attn_mask: Tensor | None = None) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(d_model, n_head)
        self.ln_1 = LayerNorm(d_model)
        self.mlp = nn.Sequential(
            OrderedDict(
                [
                    ("c_fc", nn.Linear(d_model, d_model * 4)),
                    ("gelu", QuickGELU()),
                    ("c_proj", nn.Linear(d_model * 4, d_model)),
                ]
            )
        )
        self.ln_2 = LayerNorm(d_model)
        self.attn_mask = attn_mask

    def attention(self, x: Tensor) -> Tensor:
        mask = self.attn_mask
        if mask is not None:
            length = x.shape[0]
            mask = mask[..., :length, :length].to(dtype=x.dtype, device=x.device)
        return self.attn(x, x, x, need_weights=False, attn_mask=mask)[0]

    def forward(self, x: Tensor) -> Tensor:
        if not torch.jit.is_scripting():  # type: ignore[attr-defined]
            fast = kernels.residual_attention_block(self, x, _ORIGINALS)
            if fast is not None:
                return fast
        x = x + self.attention(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """A stack of `ResidualAttentionBlock`s on sequences [L, N, D]."""

    def __init__(
        self, width: int, layers: int, heads: int, attn_mask: Tensor | None = None
    ) -> None:
        super().__init__()
        self.width = width
        self.layers = layers
        blocks = [ResidualAttentionBlock(width, heads, attn_mask) for _ in range(layers)]
        self.resblocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.resblocks(x)

    def _apply(self: Self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Let the shared mask follow the weights to their device, so that no forward moves it."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        moved: dict[int, Tensor] = {}
        for block in _blocks(self):
            mask = getattr(block, "attn_mask", None)
            if isinstance(mask, Tensor) and not mask.is_meta:
                device = fn(mask.new_empty(0)).device
                if device.type != "meta":
                    block.attn_mask = moved.setdefault(id(mask), mask.to(device))
        return self


_ORIGINALS = kernels.Originals(ResidualAttentionBlock, LayerNorm, QuickGELU, Transformer)


def _blocks(transformer: Transformer) -> Iterable[Any]:
    """The blocks, whatever callers put in their place."""
    return cast("Iterable[Any]", transformer.resblocks.children())


class VisionTransformer(nn.Module):
    """The ViT tower (Dosovitskiy et al. 2020) with a norm before the blocks.

    Args:
        input_resolution: side of the square pictures, in pixels.
        patch_size: side of the square patches, in pixels.
        width: channels D.
        layers: number of blocks.
        heads: attention heads.
        output_dim: width E of the features.
    """

    def __init__(
        self,
        input_resolution: int,
        patch_size: int,
        width: int,
        layers: int,
        heads: int,
        output_dim: int,
    ) -> None:
        super().__init__()
        self.input_resolution = input_resolution
        self.output_dim = output_dim
        self.conv1 = nn.Conv2d(3, width, kernel_size=patch_size, stride=patch_size, bias=False)

        scale = width**-0.5
        places = (input_resolution // patch_size) ** 2 + 1
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn(places, width))
        self.ln_pre = LayerNorm(width)

        self.transformer = Transformer(width, layers, heads)

        self.ln_post = LayerNorm(width)
        self.proj: nn.Parameter | None = nn.Parameter(scale * torch.randn(width, output_dim))

    def forward(self, x: Tensor) -> Tensor:
        """Pictures [N, 3, H, W] to features [N, E], or [N, D] when `proj` is None."""
        x = self.conv1(x)  # [N, D, grid, grid]
        x = x.flatten(start_dim=2).permute(0, 2, 1)  # [N, grid ** 2, D]
        whole = self.class_embedding.to(x.dtype).expand(x.shape[0], 1, -1)
        x = torch.cat([whole, x], dim=1)  # [N, L, D]
        x = x + self.positional_embedding.to(x.dtype)
        x = self.ln_pre(x)

        first: Tensor | None = None
        if not torch.jit.is_scripting():  # type: ignore[attr-defined]
            first = kernels.first_places(self.transformer, x, _ORIGINALS)
        if first is None:
            x = x.permute(1, 0, 2)  # [L, N, D]
            x = self.transformer(x)
            first = x.permute(1, 0, 2)[:, 0, :]

        x = self.ln_post(first)  # [N, D]
        if self.proj is not None:
            x = x @ self.proj
        return x


class CLIP(nn.Module):
    """A picture tower and a text tower that meet in one space.

    Args:
        embed_dim: width E of the shared space.
        image_resolution: side of the square pictures, in pixels.
        vision_layers: blocks of a ViT, or of the four stages of a ResNet.
        vision_width: channels of the picture tower.
        vision_patch_size: side of a ViT's patches; None for a ResNet.
        context_length: tokens of a text.
        vocab_size: number of token ids.
        transformer_width: channels of the text tower.
        transformer_heads: attention heads of the text tower.
        transformer_layers: blocks of the text tower.

    >>> model = CLIP(64, 32, 1, 64, 16, 8, 49408, 64, 1, 1).eval()
    >>> model.encode_image(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 64])
    """

    def __init__(
        self,
        embed_dim: int,
        # pictures
        image_resolution: int,
        vision_layers: tuple[int, int, int, int] | int,
        vision_width: int,
        vision_patch_size: int | None,
        # texts
        context_length: int,
        vocab_size: int,
        transformer_width: int,
        transformer_heads: int,
        transformer_layers: int,
    ) -> None:
        super().__init__()
        self.context_length = context_length

        self.visual: ModifiedResNet | VisionTransformer
        if isinstance(vision_layers, (tuple, list)):
            self.visual = ModifiedResNet(
                layers=vision_layers,
                output_dim=embed_dim,
                heads=vision_width * 32 // 64,
                input_resolution=image_resolution,
                width=vision_width,
            )
        else:
            assert vision_patch_size is not None
            self.visual = VisionTransformer(
                input_resolution=image_resolution,
                patch_size=vision_patch_size,
                width=vision_width,
                layers=vision_layers,
                heads=vision_width // 64,
                output_dim=embed_dim,
            )

        self.transformer = Transformer(
            width=transformer_width,
            layers=transformer_layers,
            heads=transformer_heads,
            attn_mask=self.build_attention_mask(),
        )

        self.vocab_size = vocab_size
        self.token_embedding = nn.Embedding(vocab_size, transformer_width)
        self.positional_embedding = nn.Parameter(torch.empty(context_length, transformer_width))
        self.ln_final = LayerNorm(transformer_width)

        self.text_projection: nn.Parameter | None = nn.Parameter(
            torch.empty(transformer_width, embed_dim)
        )
        self.logit_scale = nn.Parameter(torch.ones([]) * np.log(1 / 0.07))

        self.initialize_parameters()

    def initialize_parameters(self) -> None:
        """Draw the weights anew, in openai/CLIP's order, so that a seed gives its weights."""
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.positional_embedding, std=0.01)

        if isinstance(self.visual, ModifiedResNet):
            if self.visual.attnpool is not None:
                std = self.visual.attnpool.c_proj.in_features**-0.5
                for projection in ("q_proj", "k_proj", "v_proj", "c_proj"):
                    nn.init.normal_(getattr(self.visual.attnpool, projection).weight, std=std)
            for stage in ("layer1", "layer2", "layer3", "layer4"):
                for name, parameter in getattr(self.visual, stage).named_parameters():
                    if name.endswith("bn3.weight"):
                        nn.init.zeros_(parameter)

        width, layers = self.transformer.width, self.transformer.layers
        for block in _blocks(self.transformer):
            nn.init.normal_(block.attn.in_proj_weight, std=width**-0.5)
            nn.init.normal_(block.attn.out_proj.weight, std=(width**-0.5) * ((2 * layers) ** -0.5))
            nn.init.normal_(block.mlp.c_fc.weight, std=(2 * width) ** -0.5)
            nn.init.normal_(block.mlp.c_proj.weight, std=(width**-0.5) * ((2 * layers) ** -0.5))

        if self.text_projection is not None:
            nn.init.normal_(self.text_projection, std=width**-0.5)

    def build_attention_mask(self) -> Tensor:
        """The causal mask [context_length, context_length]: -inf above the diagonal, else 0."""
        mask = torch.empty(self.context_length, self.context_length)
        mask.fill_(float("-inf"))
        return mask.triu_(1)

    @property
    def dtype(self) -> torch.dtype:
        return self.visual.conv1.weight.dtype

    def encode_image(self, image: Tensor) -> Tensor:
        """Preprocessed pictures [N, 3, H, W] to features [N, E], not normalised."""
        return self.visual(image.type(self.dtype))

    def encode_text(self, text: Tensor) -> Tensor:
        """Token ids [N, L], int32 or int64, to features [N, E], not normalised."""
        ends = kernels.text_ends(self, text, _ORIGINALS)  # [N, D]
        if ends is not None:
            return self.ln_final(ends) @ self.text_projection

        x = self.token_embedding(text).type(self.dtype)  # [N, L, D]
        x = x + self.positional_embedding[: text.shape[-1]].type(self.dtype)

        x = x.permute(1, 0, 2)  # [L, N, D]
        x = self.transformer(x)
        x = x.permute(1, 0, 2)  # [N, L, D]
        x = self.ln_final(x).type(self.dtype)

        # The end-of-text token has the highest id of its row: its place has seen the whole text.
        end = text.argmax(dim=-1)
        return x[torch.arange(x.shape[0], device=x.device), end] @ self.text_projection

    def forward(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine similarities times `logit_scale.exp()`: [pictures, texts] and its transpose."""
        image_features = self.encode_image(image)
        text_features = self.encode_text(text)

        image_features = image_features / image_features.norm(dim=-1, keepdim=True)
        text_features = text_features / text_features.norm(dim=-1, keepdim=True)

        logit_scale = self.logit_scale.exp()
        logits_per_image = logit_scale * image_features @ text_features.t()
        return logits_per_image, logits_per_image.t()


def _half_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The tensors that one module keeps in half precision on an accelerator."""
    names: tuple[str, ...] = ()
    if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)):
        names += ("weight", "bias")
    if isinstance(module, nn.MultiheadAttention):
        names += ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
        names += ("in_proj_bias", "bias_k", "bias_v")
    for name in (*names, "text_projection", "proj"):
        tensor = getattr(module, name, None)
        if isinstance(tensor, Tensor):
            yield name, tensor


def half_precision_keys(model: nn.Module) -> set[str]:
    """Names of the state dict that `convert_weights` turns to float16."""
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in model.named_modules()
        for name, _ in _half_tensors(module)
    }


def convert_weights(model: nn.Module) -> None:
    """Turn the weights of linears, convolutions, attention and projections to float16, in place.

    Norms, embeddings and `logit_scale` stay float32, as in openai/CLIP.
    """
    for module in model.modules():
        for _, tensor in _half_tensors(module):
            tensor.data = tensor.data.half()


_SCALARS = ("input_resolution", "context_length", "vocab_size")


def build_model(state_dict: MutableMapping[str, Tensor]) -> CLIP:
    """A model in eval mode, with openai/CLIP's float16 rules, from a state dict in its layout.

    The architecture is read from the shapes. The model shares no memory with the dict, from which
    the entries `input_resolution`, `context_length` and `vocab_size` are deleted, as there.

    Raises:
        ArchitectureError: the shapes describe no CLIP model.
        RuntimeError: keys are missing or unexpected, as a strict `load_state_dict` says it.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in state_dict.items()}
    architecture = Architecture.from_shapes(shapes)
    for key in _SCALARS:
        state_dict.pop(key, None)

    if not is_original():
        model = CLIP(**vars(architecture))
        convert_weights(model)
        model.load_state_dict(state_dict)
        return model.eval()

    model = skeleton(architecture)
    dtypes = {name: tensor.dtype for name, tensor in model.state_dict().items()}
    dtypes.update(dict.fromkeys(half_precision_keys(model), torch.float16))
    copies = {}
    for name, tensor in state_dict.items():
        dtype = dtypes.get(name, tensor.dtype)
        copies[name] = torch.empty(tensor.shape, dtype=dtype, device="cpu").copy_(tensor.detach())
    return furnish(model, copies)


def skeleton(architecture: Architecture) -> CLIP:
    """A model whose weights have shapes but neither values nor memory; only the mask is real."""
    with without_values():
        model = CLIP(**vars(architecture))
    mask = model.build_attention_mask()
    for block in _blocks(model.transformer):
        block.attn_mask = mask
    return model


def furnish(model: CLIP, state_dict: Mapping[str, Tensor]) -> CLIP:
    """Give a `skeleton` these very tensors as its weights; the model owns them from then on."""
    model.load_state_dict(state_dict, assign=True)
    return model.eval()


def adapt(
    model: CLIP,
    *,
    activation: str | None = None,
    vision_heads: int | None = None,
    text_heads: int | None = None,
    vision_mlp_width: int | None = None,
    text_mlp_width: int | None = None,
    vision_eps: float | None = None,
    text_eps: float | None = None,
) -> None:
    """Change what others' CLIP models do unlike OpenAI's and their weights do not say.

    What is None stays as it is.

    Args:
        activation: "gelu" for the exact one; "quick_gelu" is OpenAI's.
        vision_heads, text_heads: attention heads of a tower.
        vision_mlp_width, text_mlp_width: hidden width of the MLPs, for a `skeleton` only.
        vision_eps, text_eps: epsilon of a tower's layer norms.
    """
    visual: Any = model.visual
    if isinstance(visual, ModifiedResNet):
        visual.attnpool.num_heads = vision_heads or visual.attnpool.num_heads
    else:
        _adapt_blocks(visual.transformer, activation, vision_heads, vision_mlp_width)
    _adapt_blocks(model.transformer, activation, text_heads, text_mlp_width)
    for name, module in model.named_modules():
        eps = vision_eps if name.startswith("visual.") else text_eps
        if eps is not None and isinstance(module, nn.LayerNorm):
            module.eps = eps


def _adapt_blocks(
    transformer: Transformer, activation: str | None, heads: int | None, mlp_width: int | None
) -> None:
    width = transformer.width
    for block in _blocks(transformer):
        if activation == "gelu":
            block.mlp.gelu = nn.GELU()
        if heads:
            block.attn.num_heads = heads
            block.attn.head_dim = width // heads
        if mlp_width:
            with without_values():
                block.mlp.c_fc = nn.Linear(width, mlp_width)
                block.mlp.c_proj = nn.Linear(mlp_width, width)


def _definitions() -> dict[str, object]:
    """All that a caller could replace to change what `CLIP(...)` builds."""
    return definitions(globals(), _REPLACEABLE) | {
        name: getattr(nn, name) for name in _TORCH_LAYERS
    }


_REPLACEABLE = (
    *("AttentionPool2d", "Bottleneck", "CLIP", "LayerNorm", "ModifiedResNet", "QuickGELU"),
    *("ResidualAttentionBlock", "Transformer", "VisionTransformer"),
    *("build_model", "convert_weights"),
)
_TORCH_LAYERS = ("Conv2d", "BatchNorm2d", "Embedding", "LayerNorm", "Linear", "MultiheadAttention")
_ORIGINAL = _definitions()


def is_original() -> bool:
    """Whether the classes and functions of this module are still the ones defined here.

    Research code replaces them before it loads a model; then the plain constructors must run.
    """
    return same_definitions(_definitions(), _ORIGINAL)
