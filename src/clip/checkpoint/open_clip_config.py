"""The meaning of `open_clip_config.json`."""

from __future__ import annotations

from ..architecture import Architecture
from .config_values import Values
from .meaning import INTERPOLATIONS, RESIZE_MODES, Meaning

__all__ = ["open_clip_meaning"]

# Options that change nothing in a loaded model, or that are read below or seen in the shapes.
_MODEL = frozenset(
    ("embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text", "init_logit_scale")
)
_TOWER = frozenset(
    ("layers", "width", "mlp_ratio", "output_tokens", "final_ln_after_pool", "pool_type")
).union(("act_kwargs", "norm_kwargs"))
_VISION = _TOWER.union(
    ("image_size", "patch_size", "head_width", "patch_dropout", "pos_embed_type", "n_queries"),
    ("attn_pooler_queries", "attn_pooler_heads", "timm_pool", "timm_proj"),
)
_TEXT = _TOWER.union(
    ("context_length", "vocab_size", "heads", "pad_id", "eos_id", "proj_type"),
    ("hf_model_pretrained", "hf_proj_type", "hf_pooler_type"),
)
_IMAGES = frozenset(("size", "mode", "mean", "std", "interpolation", "resize_mode", "fill_color"))
_INTERPOLATIONS = {**INTERPOLATIONS, "random": INTERPOLATIONS["bicubic"]}
"""At random means in training only."""


def open_clip_meaning(model: Values, images: Values, architecture: Architecture) -> Meaning:
    """See `configs.meaning_of`."""
    vision, text = model.section("vision_cfg"), model.section("text_cfg")
    model.only_known(_MODEL)
    _check_vision(vision)
    _check_text(text, architecture.vocab_size)
    _check_sizes(model, vision, text, architecture)
    images.only_known(_IMAGES)
    images.only("mode", "RGB")
    return Meaning(
        activation="quick_gelu" if model.get("quick_gelu", False) else "gelu",
        vision_heads=_vision_heads(vision, architecture),
        text_heads=text.get("heads", 8),
        vision_eps=_epsilon(vision),
        text_eps=_epsilon(text),
        mean=images.channels("mean", Meaning.mean, -10.0),
        std=images.channels("std", Meaning.std, 1e-3),
        interpolation=images.choice("interpolation", _INTERPOLATIONS, "bicubic"),
        resize_mode=images.choice("resize_mode", RESIZE_MODES, "shortest"),
        fill_color=images.between("fill_color", 0, 255, 0),
        source=model.file,
    )


def _check_vision(vision: Values) -> None:
    vision.only("timm_model_name")
    vision.only("pool_type", "tok")
    vision.only("act_kwargs", {})
    vision.only_known(_VISION)


def _check_text(text: Values, vocab_size: int) -> None:
    text.only("hf_model_name")
    text.only("hf_tokenizer_name")
    text.only("proj_type", "linear")
    text.only("act_kwargs", {})
    text.only("pool_type", "argmax", "eos")
    if text.raw("pool_type") == "eos":
        text.end_token("eos_id", 2, vocab_size)
    text.only_known(_TEXT)


def _check_sizes(model: Values, vision: Values, text: Values, sizes: Architecture) -> None:
    layers = sizes.vision_layers
    model.same("embed_dim", sizes.embed_dim)
    vision.same("layers", list(layers) if isinstance(layers, tuple) else layers)
    vision.same("width", sizes.vision_width)
    text.same("layers", sizes.transformer_layers)
    text.same("width", sizes.transformer_width)
    text.same("context_length", sizes.context_length)
    text.same("vocab_size", sizes.vocab_size)
    sides = [("image_size", sizes.image_resolution)]
    if sizes.vision_patch_size is not None:
        sides.append(("patch_size", sizes.vision_patch_size))
    for key, actual in sides:
        if vision.side(key, actual) != actual:
            raise vision.refusal(key, f"the weights have {actual}")


def _vision_heads(vision: Values, architecture: Architecture) -> int:
    vit = architecture.vision_patch_size is not None
    channels = architecture.vision_width * (1 if vit else 32)
    return channels // vision.between("head_width", 1, channels, min(64, channels))


def _epsilon(tower: Values) -> float:
    kwargs = tower.section("norm_kwargs")
    kwargs.only_known(frozenset(("eps",)))
    return kwargs.between("eps", 0.0, 0.1, 1e-5)
