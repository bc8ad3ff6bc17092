"""What every case works on: small random checkpoints, pictures and pixels, equal on every machine.

Numbers come from numpy's frozen `RandomState` stream, so the original and ours see the same values
although they run in different environments.

    python materials.py FOLDER

fills a folder with the archives as the `clip` of this interpreter traces them.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

VOCABULARY = 49408
CONTEXT = 77
EMBED = 64
TEXT_WIDTH, TEXT_LAYERS = 128, 3
VISION_WIDTH, VISION_LAYERS, PATCH, GRID = 128, 3, 16, 4
RESNET_WIDTH, RESNET_LAYERS, RESNET_GRID = 8, (1, 2, 1, 1), 3

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Kit:
    """The files and pictures that a case may use."""

    folder: Path

    @property
    def vit(self) -> str:
        """Path of a TorchScript archive in the layout of OpenAI's files: a ViT of 64 pixels."""
        return str(self.folder / "ViT.pt")

    @property
    def resnet(self) -> str:
        """As `vit`: a ModifiedResNet of 96 pixels."""
        return str(self.folder / "RN.pt")

    @property
    def vit_state_dict(self) -> str:
        """Path of the same ViT as a plain state dict in fp32."""
        return str(self.folder / "vit_state_dict.pt")

    def pixels(self, count: int = 2, size: int = 64, seed: int = 1) -> torch.Tensor:
        values = np.random.RandomState(seed).standard_normal((count, 3, size, size))
        return torch.from_numpy(values.astype(np.float32))

    def noise(self, *shape: int, seed: int = 2, scale: float = 1.0) -> torch.Tensor:
        values = scale * np.random.RandomState(seed).standard_normal(shape)
        return torch.from_numpy(values.astype(np.float32))

    def picture(self, mode: str = "RGB", size: tuple[int, int] = (150, 97)) -> Image.Image:
        """A picture with edges, a gradient and noise, in any of Pillow's common modes."""
        width, height = size
        rows, columns = np.mgrid[0:height, 0:width]
        noise = np.random.RandomState(3).randint(0, 60, (height, width, 3))
        ramp = np.stack([rows * 255 // height, columns * 255 // width, (rows // 9 % 2) * 180], -1)
        return Image.fromarray(np.clip(ramp + noise, 0, 255).astype(np.uint8)).convert(mode)


def _block_shapes(prefix: str, width: int) -> Shapes:
    return {
        f"{prefix}.attn.in_proj_weight": (3 * width, width),
        f"{prefix}.attn.in_proj_bias": (3 * width,),
        f"{prefix}.attn.out_proj.weight": (width, width),
        f"{prefix}.attn.out_proj.bias": (width,),
        f"{prefix}.ln_1.weight": (width,),
        f"{prefix}.ln_1.bias": (width,),
        f"{prefix}.mlp.c_fc.weight": (4 * width, width),
        f"{prefix}.mlp.c_fc.bias": (4 * width,),
        f"{prefix}.mlp.c_proj.weight": (width, 4 * width),
        f"{prefix}.mlp.c_proj.bias": (width,),
        f"{prefix}.ln_2.weight": (width,),
        f"{prefix}.ln_2.bias": (width,),
    }


def _text_shapes() -> Shapes:
    shapes: Shapes = {
        "positional_embedding": (CONTEXT, TEXT_WIDTH),
        "text_projection": (TEXT_WIDTH, EMBED),
        "logit_scale": (),
        "token_embedding.weight": (VOCABULARY, TEXT_WIDTH),
        "ln_final.weight": (TEXT_WIDTH,),
        "ln_final.bias": (TEXT_WIDTH,),
    }
    for index in range(TEXT_LAYERS):
        shapes |= _block_shapes(f"transformer.resblocks.{index}", TEXT_WIDTH)
    return shapes


def _vit_shapes() -> Shapes:
    shapes: Shapes = {
        "visual.class_embedding": (VISION_WIDTH,),
        "visual.positional_embedding": (GRID**2 + 1, VISION_WIDTH),
        "visual.proj": (VISION_WIDTH, EMBED),
        "visual.conv1.weight": (VISION_WIDTH, 3, PATCH, PATCH),
    }
    for name in ("ln_pre", "ln_post"):
        shapes |= {f"visual.{name}.{part}": (VISION_WIDTH,) for part in ("weight", "bias")}
    for index in range(VISION_LAYERS):
        shapes |= _block_shapes(f"visual.transformer.resblocks.{index}", VISION_WIDTH)
    return shapes


def _conv_shapes(prefix: str, suffix: str, outputs: int, inputs: int, kernel: int) -> Shapes:
    batch_norm = ("weight", "bias", "running_mean", "running_var")
    return {
        f"{prefix}.conv{suffix}.weight": (outputs, inputs, kernel, kernel),
        **{f"{prefix}.bn{suffix}.{part}": (outputs,) for part in batch_norm},
        f"{prefix}.bn{suffix}.num_batches_tracked": (),
    }


def _resnet_shapes() -> Shapes:
    width = RESNET_WIDTH
    shapes = _conv_shapes("visual", "1", width // 2, 3, 3)
    shapes |= _conv_shapes("visual", "2", width // 2, width // 2, 3)
    shapes |= _conv_shapes("visual", "3", width, width // 2, 3)
    inputs = width
    for stage, blocks in enumerate(RESNET_LAYERS, 1):
        planes = width * 2 ** (stage - 1)
        for block in range(blocks):
            prefix = f"visual.layer{stage}.{block}"
            shapes |= _conv_shapes(prefix, "1", planes, inputs, 1)
            shapes |= _conv_shapes(prefix, "2", planes, planes, 3)
            shapes |= _conv_shapes(prefix, "3", 4 * planes, planes, 1)
            if block == 0:
                shortcut = _conv_shapes(prefix, "", 4 * planes, inputs, 1)
                for name, shape in shortcut.items():
                    in_sequence = name.replace(".conv.", ".downsample.0.")
                    shapes[in_sequence.replace(".bn.", ".downsample.1.")] = shape
            inputs = 4 * planes
    embed = 32 * width
    shapes["visual.attnpool.positional_embedding"] = (RESNET_GRID**2 + 1, embed)
    for letter, outputs in (("k", embed), ("q", embed), ("v", embed), ("c", EMBED)):
        shapes[f"visual.attnpool.{letter}_proj.weight"] = (outputs, embed)
        shapes[f"visual.attnpool.{letter}_proj.bias"] = (outputs,)
    return shapes


def _is_half(name: str) -> bool:
    """Whether OpenAI's files hold this tensor in fp16."""
    if name in ("text_projection", "visual.proj"):
        return True
    kept = ("embedding", "logit_scale", "ln_", ".bn", "downsample.1", "token_embedding")
    return not any(part in name for part in kept)


def _values(name: str, shape: tuple[int, ...], random: np.random.RandomState) -> torch.Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.tensor(7)
    if name == "logit_scale":
        return torch.tensor(2.5)
    values = random.standard_normal(shape)
    if name.endswith("running_var"):
        values = np.exp(0.3 * values)
    elif len(shape) == 1 and name.endswith("weight"):
        values = 1 + 0.2 * values
    elif len(shape) == 1:
        values *= 0.1
    elif "embedding" in name:
        values *= 0.3
    else:
        outputs_first = name not in ("text_projection", "visual.proj")
        values *= 1.2 / np.sqrt(np.prod(shape[1:]) if outputs_first else shape[0])
    tensor = torch.from_numpy(np.asarray(values, dtype=np.float32))
    return tensor.half().float() if _is_half(name) else tensor


def state_dict(kind: str) -> dict[str, torch.Tensor]:
    """The fp32 weights of "vit" or "resnet", in values that fp16 holds exactly where it must."""
    random = np.random.RandomState({"vit": 10, "resnet": 11}[kind])
    shapes = (_vit_shapes() if kind == "vit" else _resnet_shapes()) | _text_shapes()
    return {name: _values(name, shape, random) for name, shape in shapes.items()}


def resolution(kind: str) -> int:
    return {"vit": PATCH * GRID, "resnet": 32 * RESNET_GRID}[kind]


class _Skeleton(nn.Module):
    """Modules that only hold tensors under given names: an archive whose code means nothing."""

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return image, text

    @torch.jit.export
    def encode_image(self, image: torch.Tensor) -> torch.Tensor:
        return image

    @torch.jit.export
    def encode_text(self, text: torch.Tensor) -> torch.Tensor:
        return text


def _grown(tensors: dict[str, torch.Tensor]) -> nn.Module:
    """A module that holds these tensors under these names, and no CLIP code."""
    root = _Skeleton()
    for name, tensor in tensors.items():
        *path, leaf = name.split(".")
        module: nn.Module = root
        for part in path:
            if part not in module._modules:
                module.add_module(part, nn.Identity())
            module = module._modules[part]
        if "running_" in leaf or leaf == "num_batches_tracked":
            module.register_buffer(leaf, tensor)
        else:
            module.register_parameter(leaf, nn.Parameter(tensor))
    return root


def in_halves(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: t.half() if _is_half(name) else t for name, t in tensors.items()}


def add_buffers(module: nn.Module, kind: str) -> None:
    """The three scalars that OpenAI's archives carry beside the weights."""
    sizes = {
        "input_resolution": resolution(kind),
        "context_length": CONTEXT,
        "vocab_size": VOCABULARY,
    }
    for name, size in sizes.items():
        vars(module).pop(name, None)
        module.register_buffer(name, torch.tensor(size))


def save_archive(tensors: dict[str, torch.Tensor], kind: str, path: str | Path) -> None:
    """A TorchScript archive of these tensors in the official layout, without any CLIP code."""
    root = _grown(tensors)
    add_buffers(root, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of all TorchScript
        torch.jit.save(torch.jit.script(root), str(path))


def save_archives(folder: str | os.PathLike[str]) -> Kit:
    """Archives in the official layout without any CLIP code at hand, and the plain state dict."""
    kit = Kit(Path(folder))
    for kind, path in (("vit", kit.vit), ("resnet", kit.resnet)):
        save_archive(in_halves(state_dict(kind)), kind, path)
    torch.save(state_dict("vit"), kit.vit_state_dict)
    return kit


def save_original_archives(folder: str | os.PathLike[str], build_model: object) -> Kit:
    """The same files, but traced and saved by the original's own code as OpenAI's were."""
    kit = Kit(Path(folder))
    for kind, path in (("vit", kit.vit), ("resnet", kit.resnet)):
        model = build_model(state_dict(kind))  # type: ignore[operator]
        size = resolution(kind)
        inputs = torch.ones(2, 3, size, size), torch.ones(2, CONTEXT, dtype=torch.long)
        add_buffers(model, kind)
        methods = {"forward": inputs, "encode_image": inputs[:1], "encode_text": inputs[1:]}
        torch.jit.save(torch.jit.trace_module(model, methods, check_trace=False), path)
    torch.save(state_dict("vit"), kit.vit_state_dict)
    return kit


if __name__ == "__main__":
    import sys

    from runner import prepare_torchvision

    prepare_torchvision()
    from clip.model import build_model

    save_original_archives(sys.argv[1], build_model)
