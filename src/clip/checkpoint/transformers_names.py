"""How transformers' `CLIPModel` names the weights that OpenAI's layout names."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["TRANSPOSED", "openai_names", "transformers_names"]

_OUTSIDE_BLOCKS = {
    "logit_scale": "logit_scale",
    "text_projection": "text_projection.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "visual.proj": "visual_projection.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
}
_BLOCKS = {
    "transformer.resblocks.": "text_model.encoder.layers.",
    "visual.transformer.resblocks.": "vision_model.encoder.layers.",
}
_IN_BLOCK = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}

_IN_PROJ = {"attn.in_proj_weight": "weight", "attn.in_proj_bias": "bias"}

TRANSPOSED = frozenset(("text_projection", "visual.proj"))
"""OpenAI's projections are matrices [width, embed_dim], transformers' are linear layers."""


def transformers_names(name: str) -> tuple[str, ...]:
    """Where transformers keeps a weight; the three parts in order where it splits one.

    Args:
        name: a key of the state dict of one of OpenAI's ViT models.

    Raises:
        KeyError: transformers has no such weight (a ResNet's, for instance).

    >>> transformers_names("visual.ln_pre.bias")
    ('vision_model.pre_layrnorm.bias',)
    >>> for part in transformers_names("transformer.resblocks.3.attn.in_proj_weight"): print(part)
    text_model.encoder.layers.3.self_attn.q_proj.weight
    text_model.encoder.layers.3.self_attn.k_proj.weight
    text_model.encoder.layers.3.self_attn.v_proj.weight
    """
    for prefix, blocks in _BLOCKS.items():
        if name.startswith(prefix):
            number, _, rest = name[len(prefix) :].partition(".")
            return tuple(f"{blocks}{number}.{part}" for part in _names_in_block(rest))
    return (_OUTSIDE_BLOCKS[name],)


def openai_names(names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """All weights, in OpenAI's names, of a model that has some of transformers' names.

    Each comes with the names that it has, or is joined from, in transformers, be they among
    `names` or not. Names that mean nothing to CLIP are passed over.

    >>> weights = openai_names(["vision_model.encoder.layers.0.mlp.fc1.bias", "classifier.weight"])
    >>> weights["visual.transformer.resblocks.0.ln_1.bias"]
    ('vision_model.encoder.layers.0.layer_norm1.bias',)
    """
    found: dict[str, tuple[str, ...]] = {name: (there,) for name, there in _OUTSIDE_BLOCKS.items()}
    rests = [
        *_IN_PROJ,
        *(f"{module}.{kind}" for module in _IN_BLOCK for kind in ("weight", "bias")),
    ]
    for prefix, blocks in _BLOCKS.items():
        present = (name[len(blocks) :] for name in names if name.startswith(blocks))
        for number in dict.fromkeys(name.partition(".")[0] for name in present):
            for rest in rests:
                found[f"{prefix}{number}.{rest}"] = transformers_names(f"{prefix}{number}.{rest}")
    return found


def _names_in_block(name: str) -> list[str]:
    if name in _IN_PROJ:
        return [f"self_attn.{part}_proj.{_IN_PROJ[name]}" for part in "qkv"]
    module, _, kind = name.rpartition(".")
    return [f"{_IN_BLOCK[module]}.{kind}"]
