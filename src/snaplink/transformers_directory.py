"""The files that make a directory out of which transformers loads a CLIP model."""

from __future__ import annotations

import json
from typing import Any

from torch import Tensor

from clip.architecture import Architecture
from clip.checkpoint import Meaning
from clip.checkpoint.transformers_names import TRANSPOSED, transformers_names
from clip.simple_tokenizer import SimpleTokenizer

from .errors import ArgumentError

__all__ = ["check_convertible", "config_files", "transformers_weights"]

_START, _END = "<|startoftext|>", "<|endoftext|>"
_RESAMPLE = {"bilinear": 2, "bicubic": 3}  # Pillow's numbers


def check_convertible(sizes: Architecture, meaning: Meaning) -> None:
    """Raise an ArgumentError if transformers has no place for such a model."""
    if sizes.vision_patch_size is None:
        raise ArgumentError(
            "transformers' CLIPModel has no ResNet as its picture tower: convert to openai"
        )
    if meaning.resize_mode == "longest":
        raise ArgumentError(
            "transformers' CLIPImageProcessor cannot pad pictures to a square: convert to openai"
        )


def transformers_weights(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same values in transformers' names: split where it splits, transposed where it does.

    The given dict is emptied on the way, so that never more than one weight is there twice.
    """
    renamed: dict[str, Tensor] = {}
    for name in list(weights):
        tensor = weights.pop(name)
        there = transformers_names(name)
        if name in TRANSPOSED:
            tensor = tensor.t().contiguous()
        parts = [part.clone() for part in tensor.chunk(3)] if len(there) == 3 else [tensor]
        renamed.update(zip(there, parts, strict=True))
    return renamed


def config_files(sizes: Architecture, meaning: Meaning, dtype: str) -> dict[str, str]:
    """Names and contents of the files beside the weights.

    Args:
        sizes, meaning: of a model that `check_convertible` accepts; the meaning is settled.
        dtype: that the model is to be loaded in.
    """
    files = {
        "config.json": _json(_model_config(sizes, meaning, dtype)),
        "preprocessor_config.json": _json(_image_config(sizes.image_resolution, meaning)),
    }
    tokenizer = SimpleTokenizer()
    if sizes.vocab_size == len(tokenizer.encoder):
        files |= _tokenizer_files(tokenizer, sizes.context_length)
    return files


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _model_config(sizes: Architecture, meaning: Meaning, dtype: str) -> dict[str, Any]:
    ids = SimpleTokenizer().encoder
    known = sizes.vocab_size > ids[_END]
    shared = {"hidden_act": meaning.activation, "projection_dim": sizes.embed_dim}
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": sizes.embed_dim,
        "torch_dtype": dtype,
        "text_config": {
            **shared,
            "model_type": "clip_text_model",
            "hidden_size": sizes.transformer_width,
            "intermediate_size": meaning.text_mlp_width or 4 * sizes.transformer_width,
            "num_hidden_layers": sizes.transformer_layers,
            "num_attention_heads": meaning.text_heads,
            "max_position_embeddings": sizes.context_length,
            "vocab_size": sizes.vocab_size,
            "layer_norm_eps": meaning.text_eps,
            "bos_token_id": ids[_START] if known else sizes.vocab_size - 2,
            "eos_token_id": ids[_END] if known else sizes.vocab_size - 1,
        },
        "vision_config": {
            **shared,
            "model_type": "clip_vision_model",
            "hidden_size": sizes.vision_width,
            "intermediate_size": meaning.vision_mlp_width or 4 * sizes.vision_width,
            "num_hidden_layers": sizes.vision_layers,
            "num_attention_heads": meaning.vision_heads,
            "image_size": sizes.image_resolution,
            "patch_size": sizes.vision_patch_size,
            "layer_norm_eps": meaning.vision_eps,
        },
    }


def _image_config(side: int, meaning: Meaning) -> dict[str, Any]:
    square = {"height": side, "width": side}
    squash = meaning.resize_mode == "squash"
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "size": square if squash else {"shortest_edge": side},
        "resample": _RESAMPLE[meaning.interpolation],
        "do_center_crop": not squash,
        "crop_size": square,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": meaning.mean,
        "image_std": meaning.std,
        "do_convert_rgb": True,
    }


def _tokenizer_files(tokenizer: SimpleTokenizer, context_length: int) -> dict[str, str]:
    merges = ["#version: 0.2", *map(" ".join, tokenizer.bpe_ranks)]
    special = {"bos_token": _START, "eos_token": _END, "unk_token": _END, "pad_token": _END}
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": context_length,
        "do_lower_case": True,
        **special,
    }
    return {
        "vocab.json": _json(dict(tokenizer.encoder)),
        "merges.txt": "\n".join(merges) + "\n",
        "tokenizer_config.json": _json(config),
        "special_tokens_map.json": _json(special),
    }
