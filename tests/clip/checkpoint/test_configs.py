"""What transformers' and open_clip's configs mean, and which of them cannot be honoured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip.architecture import Architecture
from clip.checkpoint.config_values import Values
from clip.checkpoint.configs import ModelConfig, meaning_of
from clip.checkpoint.meaning import OPENAI_MEAN, OPENAI_STD, Meaning
from clip.errors import CheckpointError

VIT = Architecture(512, 224, 12, 768, 32, 77, 49408, 512, 8, 12)
LARGE = Architecture(1024, 224, 32, 1280, 14, 77, 49408, 1024, 16, 24)
RESNET = Architecture(1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12)


def meaning(
    library: Literal["transformers", "open_clip"],
    model: Any,
    images: Any = None,
    architecture: Architecture = VIT,
) -> Meaning:
    config = ModelConfig(library, Values(model, "model.json"), Values(images or {}, "images.json"))
    return meaning_of(config, architecture)


def transformers(text: Any = None, vision: Any = None, **model: Any) -> dict[str, Any]:
    return {"model_type": "clip", "text_config": text, "vision_config": vision, **model}


def open_clip(text: Any = None, vision: Any = None, **model: Any) -> dict[str, Any]:
    return {"embed_dim": 512, "text_cfg": text, "vision_cfg": vision, **model}


# transformers ---------------------------------------------------------------------------------


def test_what_transformers_leaves_out_has_its_defaults() -> None:
    assert meaning("transformers", transformers()) == Meaning(
        activation="quick_gelu", vision_heads=12, text_heads=8, source="model.json"
    )


def test_transformers_options_are_read() -> None:
    text = {"hidden_act": "gelu", "num_attention_heads": 16, "layer_norm_eps": 1e-6}
    vision = {"hidden_act": "gelu", "num_attention_heads": 20, "layer_norm_eps": 1e-4}
    images = {"image_mean": [0.5, 0.4, 0.3], "image_std": [1, 0.4, 0.3], "resample": 2}
    assert meaning("transformers", transformers(text, vision), images) == Meaning(
        activation="gelu",
        vision_heads=20,
        text_heads=16,
        vision_eps=1e-4,
        text_eps=1e-6,
        mean=(0.5, 0.4, 0.3),
        std=(1.0, 0.4, 0.3),
        interpolation="bilinear",
        source="model.json",
    )


def test_in_files_of_old_versions_the_second_dict_counts() -> None:
    old = transformers({"num_attention_heads": 1}, {"num_attention_heads": 1})
    old |= {
        "text_config_dict": {"num_attention_heads": 4},
        "vision_config_dict": {"hidden_size": 768},
    }
    found = meaning("transformers", old)
    assert (found.text_heads, found.vision_heads) == (4, 12)


@pytest.mark.parametrize(
    ("images", "mode"),
    [
        ({"size": 224, "crop_size": 224}, "shortest"),
        ({"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}}, "shortest"),
        ({"size": {"height": 224, "width": 224}, "do_center_crop": False}, "squash"),
        ({"size": {"height": 224, "width": 224}, "crop_size": 224}, "squash"),
        ({"feature_extractor_type": "CLIPFeatureExtractor", "resample": 3}, "shortest"),
    ],
)
def test_sizes_of_pictures_in_all_their_spellings(images: Any, mode: str) -> None:
    assert meaning("transformers", transformers(), images).resize_mode == mode


@pytest.mark.parametrize(
    ("end", "vocab_size", "accepted"),
    [
        (2, 49408, True),  # before transformers 4.31 it meant OpenAI's rule, whatever its name
        (49407, 49408, True),
        (None, 49408, True),
        (49407, 50000, True),  # our tokenizer's largest id
        (98, 99, True),
        (5, 99, False),
        (None, 99, False),
        (49407, 99, False),
        ([49407], 49408, False),
    ],
)
def test_the_end_of_a_text_must_be_its_largest_id(
    end: Any, vocab_size: int, accepted: bool
) -> None:
    model = transformers({"eos_token_id": end} if end else {})
    sizes = replace(VIT, vocab_size=vocab_size)
    if accepted:
        meaning("transformers", model, architecture=sizes)
    else:
        with pytest.raises(CheckpointError, match=r"text_config\.eos_token_id is"):
            meaning("transformers", model, architecture=sizes)


@pytest.mark.parametrize(
    ("model", "images", "message"),
    [
        ({"model_type": "siglip"}, {}, 'model_type is "siglip"'),
        ({"model_type": "chinese_clip"}, {}, 'model_type is "chinese_clip"'),
        ({"model_type": "clip_vision_model"}, {}, "both towers are needed"),
        (transformers({"hidden_act": "relu"}), {}, "text_config.hidden_act is .*one of"),
        (transformers({}, {"hidden_act": "gelu"}), {}, "text_config.hidden_act is null.* has gelu"),
        (transformers({}, {"hidden_act": ["gelu"]}), {}, "vision_config.hidden_act is"),
        (transformers({"num_attention_heads": "8"}), {}, "num_attention_heads is .8.*like 8"),
        (transformers({"num_attention_heads": True}), {}, "num_attention_heads is true"),
        (transformers({"layer_norm_eps": float("nan")}), {}, "layer_norm_eps is NaN"),
        (transformers({"layer_norm_eps": 3}), {}, "layer_norm_eps is 3"),
        (transformers([]), {"do_resize": False}, "do_resize is false"),
        (transformers("x"), {}, "text_config is not a JSON object"),
        (transformers(projection_dim=99), {}, "projection_dim is 99, but the weights have 512"),
        (transformers({"hidden_size": 99}), {}, "text_config.hidden_size is 99"),
        (transformers({}, {"image_size": 336}), {}, "image_size is 336, but the weights have 224"),
        (transformers({}, {"patch_size": [16, 16]}), {}, "patch_size is .16, 16., but the weights"),
        (transformers(), {"do_normalize": False}, "do_normalize is false"),
        (transformers(), {"do_center_crop": False}, "do_center_crop is false"),
        (transformers(), {"rescale_factor": 1.0}, "rescale_factor is 1.0"),
        (transformers(), {"size": {"shortest_edge": 256}}, "size is .*for 224 pixels"),
        (transformers(), {"size": {"longest_edge": 224}}, "size is .*for 224 pixels"),
        (transformers(), {"size": {"height": 224, "width": 200}}, "size.width is 200"),
        (transformers(), {"crop_size": 336}, "crop_size is 336"),
        (transformers(), {"resample": 0}, "resample is 0"),
        (transformers(), {"image_mean": [0.5, 0.5]}, "image_mean is .*three numbers"),
        (transformers(), {"image_mean": [0.5, 0.5, "x"]}, "image_mean.2 is .x"),
        (transformers(), {"image_std": [0.5, 0.0, 0.5]}, "image_std.1 is 0.0"),
        (transformers(), {"image_processor_type": "ViTImageProcessor"}, "image_processor_type is"),
    ],
)
def test_transformers_options_that_cannot_be_honoured(
    model: Any, images: Any, message: str
) -> None:
    with pytest.raises(CheckpointError, match=message) as error:
        meaning("transformers", model, images)
    assert str(error.value).startswith(("model.json: ", "images.json: "))


# open_clip ------------------------------------------------------------------------------------


def test_open_clip_means_gelu_unless_it_says_quick_gelu() -> None:
    assert meaning("open_clip", open_clip()) == Meaning(
        activation="gelu", vision_heads=12, text_heads=8, source="model.json"
    )
    assert meaning("open_clip", open_clip(quick_gelu=True)).activation == "quick_gelu"


def test_open_clip_options_are_read() -> None:
    vision = {"layers": 32, "width": 1280, "head_width": 80, "patch_size": 14, "image_size": 224}
    vision |= {"norm_kwargs": {"eps": 1e-6}, "patch_dropout": 0.5, "output_tokens": True}
    text = {"context_length": 77, "vocab_size": 49408, "width": 1024, "heads": 16, "layers": 24}
    images = {"mean": 0.5, "std": [0.1, 0.2, 0.3], "interpolation": "bilinear"}
    images |= {"resize_mode": "longest", "fill_color": 9, "size": [224, 224], "mode": "RGB"}
    model = open_clip(text, vision, embed_dim=1024, custom_text=True)
    assert meaning("open_clip", model, images, LARGE) == Meaning(
        activation="gelu",
        vision_heads=16,
        text_heads=16,
        vision_eps=1e-6,
        mean=(0.5, 0.5, 0.5),
        std=(0.1, 0.2, 0.3),
        interpolation="bilinear",
        resize_mode="longest",
        fill_color=9,
        source="model.json",
    )


def test_open_clip_s_resnets() -> None:
    vision = {"layers": [3, 4, 6, 3], "width": 64, "patch_size": None, "image_size": 224}
    found = meaning("open_clip", open_clip({}, vision, embed_dim=1024), architecture=RESNET)
    assert found.vision_heads == 32


def test_pictures_are_openai_s_where_nothing_is_said() -> None:
    found = meaning("open_clip", open_clip())
    assert (found.mean, found.std) == (OPENAI_MEAN, OPENAI_STD)
    assert (found.interpolation, found.resize_mode) == ("bicubic", "shortest")


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ({"pool_type": "argmax"}, True),
        ({"pool_type": "eos", "eos_id": 49407}, True),
        ({"pool_type": "eos", "eos_id": 2}, False),
        ({"pool_type": "eos"}, False),
        ({"pool_type": "last"}, False),
    ],
)
def test_texts_must_be_pooled_as_openai_does(text: Any, accepted: bool) -> None:
    if accepted:
        meaning("open_clip", open_clip(text))
    else:
        with pytest.raises(CheckpointError, match=r"text_cfg\.(pool_type|eos_id) is"):
            meaning("open_clip", open_clip(text))


@pytest.mark.parametrize(
    ("model", "images", "message"),
    [
        (open_clip({}, {"timm_model_name": "vit_x"}), {}, "vision_cfg.timm_model_name is"),
        (open_clip({"hf_model_name": "roberta"}), {}, "text_cfg.hf_model_name is"),
        (open_clip({"hf_tokenizer_name": "x"}), {}, "text_cfg.hf_tokenizer_name is"),
        (open_clip(multimodal_cfg={"width": 1}), {}, "multimodal_cfg is"),
        (open_clip(init_logit_bias=-10), {}, "init_logit_bias is -10"),
        (open_clip({}, {"ls_init_value": 1e-4}), {}, "vision_cfg.ls_init_value is 0.0001"),
        (open_clip({}, {"attentional_pool": True}), {}, "vision_cfg.attentional_pool is true"),
        (open_clip({}, {"no_ln_pre": True}), {}, "vision_cfg.no_ln_pre is true"),
        (open_clip({}, {"pool_type": "avg"}), {}, "vision_cfg.pool_type is .avg"),
        (open_clip({}, {"qk_norm": True}), {}, "vision_cfg.qk_norm is true"),
        (open_clip({}, {"act_kwargs": {"approximate": "tanh"}}), {}, "vision_cfg.act_kwargs is"),
        (open_clip({}, {"norm_kwargs": {"bias": 1}}), {}, "vision_cfg.norm_kwargs.bias is 1"),
        (open_clip({}, {"head_width": 0}), {}, "vision_cfg.head_width is 0"),
        (open_clip({"no_causal_mask": True}), {}, "text_cfg.no_causal_mask is true"),
        (open_clip({"embed_cls": True}), {}, "text_cfg.embed_cls is true"),
        (open_clip({"proj_bias": True}), {}, "text_cfg.proj_bias is true"),
        (open_clip({"proj_type": "none"}), {}, "text_cfg.proj_type is .none"),
        (open_clip({"tokenizer_kwargs": {"clean": "x"}}), {}, "text_cfg.tokenizer_kwargs is"),
        (
            open_clip({"new_option": 3}),
            {},
            "text_cfg.new_option is 3, but this option is not known",
        ),
        (open_clip({"context_length": 64}), {}, "context_length is 64, but the weights have 77"),
        (open_clip({}, {"layers": [3, 4, 6, 3]}), {}, "vision_cfg.layers is .*weights have 12"),
        (open_clip({}, {"image_size": [224, 448]}), {}, "image_size is"),
        (open_clip(), {"resize_mode": "stretch"}, "resize_mode is .stretch.*shortest"),
        (open_clip(), {"mode": "L"}, "mode is .L"),
        (open_clip(), {"fill_color": 300}, "fill_color is 300"),
    ],
)
def test_open_clip_options_that_cannot_be_honoured(model: Any, images: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as error:
        meaning("open_clip", model, images)
    assert str(error.value).startswith(("model.json: ", "images.json: "))


def test_options_that_are_off_do_not_matter() -> None:
    off = {"ls_init_value": None, "qk_norm": False, "act_kwargs": {}, "new_option": 0}
    assert meaning("open_clip", open_clip(off, off)) == meaning("open_clip", open_clip())


# Anything at all -------------------------------------------------------------------------------

KEYS = {
    "transformers": (
        *("model_type", "text_config", "vision_config", "text_config_dict", "projection_dim"),
        *("hidden_act", "num_attention_heads", "layer_norm_eps", "eos_token_id", "image_size"),
        *("size", "crop_size", "height", "shortest_edge", "image_mean", "resample", "do_resize"),
        *("rescale_factor", "hidden_size"),
    ),
    "open_clip": (
        *("embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "layers", "heads", "head_width"),
        *("pool_type", "eos_id", "norm_kwargs", "eps", "act_kwargs", "patch_size", "image_size"),
        *("mean", "std", "interpolation", "resize_mode", "fill_color", "mode", "new"),
    ),
    "clip": ("activation", "vision_heads", "vision_eps", "mean", "resize_mode", "fill_color"),
}
NUMBERS = st.integers(-3, 10**30) | st.floats() | st.sampled_from((224, 12, 512, 49407))
LEAVES = st.none() | st.booleans() | NUMBERS | st.sampled_from(("gelu", "clip", "eos", "RGB", ""))


def nested(library: str) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(KEYS[library])
    values = st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner),
        max_leaves=9,
    )
    return st.dictionaries(names, values)


@pytest.mark.parametrize("library", KEYS)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_whatever_a_config_holds_it_is_read_or_refused(library: Any, data: st.DataObject) -> None:
    model, images = data.draw(nested(library)), data.draw(nested(library))
    try:
        found = meaning(library, model, images).settled(VIT, "file.pt")
    except CheckpointError:
        return
    assert found.activation in ("quick_gelu", "gelu")
    assert 0 <= found.vision_eps <= 0.1
    assert all(std > 0 for std in found.std)
