"""ViT-B/32 with random weights, as OpenAI published it and as transformers saves it; and RN50.

Runs in the peers' environment: TorchScript archives are traced from openai/CLIP's own model.

    python weights.py openai/CLIP FOLDER
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from contenders import ARCHIVE, RESNET_ARCHIVE, TRANSFORMERS_FOLDER, prepare
from torch import Tensor

SIZES = (512, 224, 12, 768, 32, 77, 49408, 512, 8, 12)
RESNET_SIZES = (1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12)
SCALARS = {"input_resolution": 224, "context_length": 77, "vocab_size": 49408}


def main() -> None:
    prepare(sys.argv[1])
    folder = Path(sys.argv[2])
    if not (folder / "sha256").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        model = original(SIZES)
        write_archive(model, folder / ARCHIVE)
        write_transformers(model.state_dict(), folder / TRANSFORMERS_FOLDER)
        sha256 = hashlib.sha256((folder / ARCHIVE).read_bytes()).hexdigest()
        (folder / "sha256").write_text(sha256, encoding="utf-8")
    if not (folder / RESNET_ARCHIVE).exists():
        unfinished = folder / f"{RESNET_ARCHIVE}.part"
        write_archive(original(RESNET_SIZES), unfinished)
        unfinished.replace(folder / RESNET_ARCHIVE)
    print(json.dumps({"bytes": (folder / ARCHIVE).stat().st_size}))


def original(sizes: tuple[Any, ...]) -> Any:
    """openai/CLIP's model in its published dtypes: fp16, but for layer norms and embeddings."""
    import clip.model

    torch.manual_seed(0)
    model = clip.model.CLIP(*sizes).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as made they are the identity, or zero
            for tensor in (module.weight.data, module.running_var):
                tensor.uniform_(0.3, 0.7)
            for tensor in (module.bias.data, module.running_mean):
                tensor.normal_(std=0.1)
    clip.model.convert_weights(model)
    for name, value in SCALARS.items():
        setattr(model, name, torch.tensor(value))
    return model


def write_archive(model: Any, path: Path) -> None:
    pixels = torch.zeros(1, 3, SCALARS["input_resolution"], SCALARS["input_resolution"])
    tokens = torch.zeros(1, SCALARS["context_length"], dtype=torch.int)
    for name in SCALARS:
        value = getattr(model, name)
        delattr(model, name)
        model.register_buffer(name, value)
    methods = {
        "forward": (pixels.half(), tokens),
        "encode_image": pixels.half(),
        "encode_text": tokens,
    }
    torch.jit.save(torch.jit.trace_module(model, methods), path)


def write_transformers(weights: dict[str, Tensor], folder: Path) -> None:
    """The directory that `CLIPModel.from_pretrained` reads, fp16 throughout."""
    from transformers import CLIPConfig, CLIPModel

    size = {"num_hidden_layers": 12, "hidden_act": "quick_gelu"}
    text = {**size, "hidden_size": 512, "num_attention_heads": 8, "intermediate_size": 2048}
    vision = {**size, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
    config = CLIPConfig(
        text_config={**text, "eos_token_id": 49407, "bos_token_id": 49406},
        vision_config={**vision, "patch_size": 32, "image_size": 224},
        projection_dim=512,
    )
    model = CLIPModel(config).half()
    renamed = dict(pair for item in weights.items() for pair in rename(*item))
    model.load_state_dict(renamed, strict=True)
    model.save_pretrained(folder)


NAMES = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.": "vision_model.embeddings.patch_embedding.",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre.": "vision_model.pre_layrnorm.",
    "visual.ln_post.": "vision_model.post_layernorm.",
    "visual.transformer.resblocks.": "vision_model.encoder.layers.",
    "visual.proj": "visual_projection.weight",
    "transformer.resblocks.": "text_model.encoder.layers.",
    "token_embedding.": "text_model.embeddings.token_embedding.",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.": "text_model.final_layer_norm.",
    "text_projection": "text_projection.weight",
}
BLOCK_NAMES = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def rename(name: str, tensor: Tensor) -> list[tuple[str, Tensor]]:
    """One of openai/CLIP's tensors under transformers' names."""
    if name in SCALARS:
        return []
    for ours, theirs in NAMES.items():
        if name.startswith(ours):
            name = theirs + name.removeprefix(ours)
            break
    if name in ("visual_projection.weight", "text_projection.weight"):
        return [(name, tensor.t().contiguous())]
    if ".attn.in_proj_" in name:
        layer, _, kind = name.partition("attn.in_proj_")
        parts = zip("qkv", tensor.chunk(3), strict=True)
        return [(f"{layer}self_attn.{part}_proj.{kind}", piece.clone()) for part, piece in parts]
    for ours, theirs in BLOCK_NAMES.items():
        name = name.replace(f".{ours}.", f".{theirs}.")
    return [(name, tensor)]


if __name__ == "__main__":
    main()
