"""The meaning of transformers' `config.json` and `preprocessor_config.json`."""

from __future__ import annotations

from ..architecture import Architecture
from .config_values import Values
from .meaning import ACTIVATIONS, Interpolation, Meaning

__all__ = ["transformers_meaning"]

# The defaults below are those of transformers' CLIPTextConfig, CLIPVisionConfig and
# CLIPImageProcessor: what equals them may be left out of the files.
_TEXT_HEADS, _VISION_HEADS = 8, 12
_END_OF_TEXT = 49407
_BEFORE_4_31 = 2
"""The end token in configs written before transformers 4.31: it means OpenAI's rule."""
_INTERPOLATIONS: dict[object, Interpolation] = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers
_PROCESSORS = (
    *("CLIPImageProcessor", "CLIPImageProcessorFast", "CLIPImageProcessorPil"),
    "CLIPFeatureExtractor",
)


def transformers_meaning(model: Values, images: Values, architecture: Architecture) -> Meaning:
    """See `configs.meaning_of`."""
    _check_kind(model)
    text, vision = _tower(model, "text_config"), _tower(model, "vision_config")
    _check_sizes(model, text, vision, architecture)
    if text.raw("eos_token_id") != _BEFORE_4_31:
        text.end_token("eos_token_id", _END_OF_TEXT, architecture.vocab_size)
    activation = vision.choice("hidden_act", ACTIVATIONS, "quick_gelu")
    if text.choice("hidden_act", ACTIVATIONS, "quick_gelu") != activation:
        raise text.refusal("hidden_act", f"the picture tower has {activation}")
    _check_steps(images, architecture.image_resolution)
    return Meaning(
        activation=activation,
        vision_heads=vision.get("num_attention_heads", _VISION_HEADS),
        text_heads=text.get("num_attention_heads", _TEXT_HEADS),
        vision_eps=vision.between("layer_norm_eps", 0.0, 0.1, 1e-5),
        text_eps=text.between("layer_norm_eps", 0.0, 0.1, 1e-5),
        mean=images.channels("image_mean", Meaning.mean, -10.0),
        std=images.channels("image_std", Meaning.std, 1e-3),
        interpolation=images.choice("resample", _INTERPOLATIONS, "bicubic"),
        resize_mode="squash" if _squashes(images) else "shortest",
        source=model.file,
    )


def _check_kind(model: Values) -> None:
    kind = model.get("model_type", "clip")
    if kind in ("clip_vision_model", "clip_text_model"):
        raise model.refusal("model_type", "both towers are needed: this is one of them")
    if kind != "clip":
        raise model.refusal("model_type", 'only "clip" has OpenAI\'s architecture')


def _tower(model: Values, key: str) -> Values:
    """Files of old versions hold a tower's options a second time, and those are what counts."""
    return model.section(f"{key}_dict" if f"{key}_dict" in model else key)


def _check_sizes(model: Values, text: Values, vision: Values, sizes: Architecture) -> None:
    model.same("projection_dim", sizes.embed_dim)
    text.same("hidden_size", sizes.transformer_width)
    text.same("num_hidden_layers", sizes.transformer_layers)
    text.same("max_position_embeddings", sizes.context_length)
    text.same("vocab_size", sizes.vocab_size)
    vision.same("hidden_size", sizes.vision_width)
    vision.same("num_hidden_layers", sizes.vision_layers)
    for key, actual in (
        ("image_size", sizes.image_resolution),
        ("patch_size", sizes.vision_patch_size or 0),
    ):
        if vision.side(key, actual) != actual:
            raise vision.refusal(key, f"the weights have {actual}")


def _check_steps(images: Values, resolution: int) -> None:
    """Refuse steps that are left out, or that end with pictures of another size."""
    for key in ("image_processor_type", "feature_extractor_type"):
        images.only(key, *_PROCESSORS)
    for step in ("do_resize", "do_rescale", "do_normalize"):
        images.only(step, True)
    images.between("rescale_factor", 0.99 / 255, 1.01 / 255, 1 / 255)
    if not _squashes(images):
        images.only("do_center_crop", True)
    for key in ("size", "crop_size"):
        if _side(images, key, resolution) != resolution:
            raise images.refusal(key, f"the weights are for {resolution} pixels")


def _squashes(images: Values) -> bool:
    size = images.raw("size")
    return isinstance(size, dict) and "height" in size


def _side(images: Values, key: str, default: int) -> int:
    if not isinstance(images.raw(key), dict):
        return images.get(key, default)
    size = images.section(key)
    side = size.get("shortest_edge" if "shortest_edge" in size else "height", 0)
    size.same("width", side)
    return side
