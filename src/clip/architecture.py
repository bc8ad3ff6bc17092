"""The sizes of a CLIP model, read from the shapes of its weights. Only arithmetic: no tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .errors import ClipError

__all__ = ["MAX_CONTEXT_LENGTH", "MAX_RESOLUTION", "Architecture", "ArchitectureError"]

Shape = tuple[int, ...]

MAX_CONTEXT_LENGTH = 2048
"""The causal mask has the square of it as entries: more would let a small file ask for much."""

MAX_RESOLUTION = 4096
"""Side of a picture in pixels; the largest model in the wild reads 576."""


class ArchitectureError(ClipError, ValueError):
    """The shapes of a state dict do not describe a CLIP model; the message names the key."""


@dataclass(frozen=True)
class Architecture:
    """The arguments of `clip.model.CLIP`, in its order.

    Attributes:
        embed_dim: width of the shared picture and text space.
        image_resolution: side of the square pictures, in pixels.
        vision_layers: number of blocks of a ViT; blocks of the four stages of a ResNet.
        vision_width: channels of a ViT, or of a ResNet's stem.
        vision_patch_size: side of a ViT's patches in pixels; None for a ResNet.
        context_length: tokens of a text, start and end tokens included.
        vocab_size: number of token ids.
        transformer_width: channels of the text tower.
        transformer_heads: attention heads of the text tower, one for each 64 channels.
        transformer_layers: number of blocks of the text tower.
    """

    embed_dim: int
    image_resolution: int
    vision_layers: int | tuple[int, int, int, int]
    vision_width: int
    vision_patch_size: int | None
    context_length: int
    vocab_size: int
    transformer_width: int
    transformer_heads: int
    transformer_layers: int

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, Sequence[int]]) -> Architecture:
        """Read the sizes as openai/CLIP's ``build_model`` does.

        Args:
            shapes: names of a state dict in OpenAI's layout to the shapes of its tensors. Names
                that the sizes do not depend on are not looked at: see `shapes`.

        Raises:
            ArchitectureError: a key is missing or has a shape that no CLIP model has.

        >>> vit = Architecture(512, 224, 12, 768, 32, 77, 49408, 512, 8, 12)
        >>> Architecture.from_shapes(vit.shapes()) == vit
        True
        """
        read = _ShapeReader(shapes)
        vit = "visual.proj" in shapes or "visual.class_embedding" in shapes
        resolution, layers, vision_width, patch = _read_vit(read) if vit else _read_resnet(read)
        width = read("ln_final.weight", 1)[0]
        architecture = cls(
            embed_dim=read("text_projection", 2)[1],
            image_resolution=resolution,
            vision_layers=layers,
            vision_width=vision_width,
            vision_patch_size=patch,
            context_length=read("positional_embedding", 2)[0],
            vocab_size=read("token_embedding.weight", 2)[0],
            transformer_width=width,
            transformer_heads=width // 64,
            transformer_layers=len(read.blocks("transformer.resblocks.")),
        )
        architecture._check_bounds()
        return architecture

    def _check_bounds(self) -> None:
        if self.context_length > MAX_CONTEXT_LENGTH:
            raise ArchitectureError(
                f"positional_embedding: a context length of {self.context_length} "
                f"(at most {MAX_CONTEXT_LENGTH})"
            )
        if self.image_resolution > MAX_RESOLUTION:
            raise ArchitectureError(
                f"visual: pictures of {self.image_resolution} pixels (at most {MAX_RESOLUTION})"
            )
        stages = self.vision_layers
        if not self.transformer_layers or not (
            all(stages) if isinstance(stages, tuple) else stages
        ):
            raise ArchitectureError("a tower has no blocks")

    def shapes(
        self, *, vision_mlp_width: int | None = None, text_mlp_width: int | None = None
    ) -> dict[str, Shape]:
        """The names and shapes of the whole state dict, `num_batches_tracked` included.

        Args:
            vision_mlp_width, text_mlp_width: hidden width of the MLPs in the transformers' blocks;
                None is OpenAI's, 4 times the tower's width. open_clip's ViT-g and bigG differ.
        """
        return dict(self._named_shapes(vision_mlp_width, text_mlp_width))

    def _named_shapes(
        self, vision_mlp: int | None, text_mlp: int | None
    ) -> Iterator[tuple[str, Shape]]:
        width = self.transformer_width
        yield "positional_embedding", (self.context_length, width)
        yield "text_projection", (width, self.embed_dim)
        yield "logit_scale", ()
        if self.vision_patch_size is None:
            yield from _resnet_shapes(self)
        else:
            yield from _vit_shapes(self, self.vision_patch_size, vision_mlp)
        yield from _transformer_shapes("transformer.", width, self.transformer_layers, text_mlp)
        yield "token_embedding.weight", (self.vocab_size, width)
        yield from _affine("ln_final", width)


class _ShapeReader:
    """Looks a shape up and says what is wrong with it."""

    def __init__(self, shapes: Mapping[str, Sequence[int]]) -> None:
        self.shapes = shapes

    def __call__(self, name: str, dimensions: int) -> Shape:
        if name not in self.shapes:
            raise ArchitectureError(f"{name} is missing")
        shape = tuple(self.shapes[name])
        if len(shape) != dimensions or 0 in shape:
            raise ArchitectureError(
                f"{name} has shape {list(shape)}: {dimensions} dimensions expected, none of them 0"
            )
        return shape

    def blocks(self, prefix: str) -> set[str]:
        """The numbers that follow the prefix in the names."""
        return {
            name[len(prefix) :].split(".")[0] for name in self.shapes if name.startswith(prefix)
        }

    def grid(self, name: str) -> int:
        """Side of the square of positions, beside which one more stands for the whole picture."""
        positions = self(name, 2)[0] - 1
        side = math.isqrt(positions)
        if side == 0 or side * side != positions:
            raise ArchitectureError(
                f"{name} has {positions + 1} rows: a square number + 1 expected"
            )
        return side


_Visual = tuple[int, int | tuple[int, int, int, int], int, int | None]
"""Resolution, layers, width and patch size of a picture tower."""


def _read_vit(read: _ShapeReader) -> _Visual:
    width, _, _, patch = read("visual.conv1.weight", 4)
    grid = read.grid("visual.positional_embedding")
    return patch * grid, len(read.blocks("visual.transformer.resblocks.")), width, patch


def _read_resnet(read: _ShapeReader) -> _Visual:
    width = read("visual.layer1.0.conv1.weight", 4)[0]
    grid = read.grid("visual.attnpool.positional_embedding")
    one, two, three, four = (len(read.blocks(f"visual.layer{stage}.")) for stage in (1, 2, 3, 4))
    return 32 * grid, (one, two, three, four), width, None


def _affine(name: str, *shape: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def _vit_shapes(sizes: Architecture, patch: int, mlp: int | None) -> Iterator[tuple[str, Shape]]:
    width = sizes.vision_width
    assert isinstance(sizes.vision_layers, int)
    yield "visual.class_embedding", (width,)
    yield "visual.positional_embedding", ((sizes.image_resolution // patch) ** 2 + 1, width)
    yield "visual.proj", (width, sizes.embed_dim)
    yield "visual.conv1.weight", (width, 3, patch, patch)
    yield from _affine("visual.ln_pre", width)
    yield from _transformer_shapes("visual.transformer.", width, sizes.vision_layers, mlp)
    yield from _affine("visual.ln_post", width)


def _transformer_shapes(
    prefix: str, width: int, layers: int, mlp: int | None
) -> Iterator[tuple[str, Shape]]:
    mlp = mlp or 4 * width
    for layer in range(layers):
        block = f"{prefix}resblocks.{layer}."
        yield f"{block}attn.in_proj_weight", (3 * width, width)
        yield f"{block}attn.in_proj_bias", (3 * width,)
        yield from _affine(f"{block}attn.out_proj", width, width)
        yield from _affine(f"{block}ln_1", width)
        yield from _affine(f"{block}mlp.c_fc", mlp, width)
        yield from _affine(f"{block}mlp.c_proj", width, mlp)
        yield from _affine(f"{block}ln_2", width)


def _resnet_shapes(sizes: Architecture) -> Iterator[tuple[str, Shape]]:
    width = sizes.vision_width
    assert isinstance(sizes.vision_layers, tuple)
    yield from _convolution("visual.", "conv1", "bn1", (width // 2, 3, 3, 3))
    yield from _convolution("visual.", "conv2", "bn2", (width // 2, width // 2, 3, 3))
    yield from _convolution("visual.", "conv3", "bn3", (width, width // 2, 3, 3))
    inputs = width
    for stage, blocks in enumerate(sizes.vision_layers):
        planes = width * 2**stage
        for block in range(blocks):
            yield from _bottleneck_shapes(f"visual.layer{stage + 1}.{block}.", inputs, planes)
            inputs = 4 * planes
    pooled = 32 * width
    yield "visual.attnpool.positional_embedding", ((sizes.image_resolution // 32) ** 2 + 1, pooled)
    for projection in ("k_proj", "q_proj", "v_proj"):
        yield from _affine(f"visual.attnpool.{projection}", pooled, pooled)
    yield from _affine("visual.attnpool.c_proj", sizes.embed_dim, pooled)


def _bottleneck_shapes(block: str, inputs: int, planes: int) -> Iterator[tuple[str, Shape]]:
    yield from _convolution(block, "conv1", "bn1", (planes, inputs, 1, 1))
    yield from _convolution(block, "conv2", "bn2", (planes, planes, 3, 3))
    yield from _convolution(block, "conv3", "bn3", (4 * planes, planes, 1, 1))
    if inputs != 4 * planes:
        yield from _convolution(block, "downsample.0", "downsample.1", (4 * planes, inputs, 1, 1))


def _convolution(
    prefix: str, convolution: str, norm: str, shape: Shape
) -> Iterator[tuple[str, Shape]]:
    yield f"{prefix}{convolution}.weight", shape
    channels = shape[:1]
    for name in ("weight", "bias", "running_mean", "running_var"):
        yield f"{prefix}{norm}.{name}", channels
    yield f"{prefix}{norm}.num_batches_tracked", ()
