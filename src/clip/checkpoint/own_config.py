"""Our own config: the meaning of a model, kept in the metadata of its safetensors file.

OpenAI's layout has no place to say that a model uses GELU, for instance.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from ..errors import CheckpointError
from .config_values import Values
from .meaning import ACTIVATIONS, INTERPOLATIONS, RESIZE_MODES, Meaning

__all__ = ["meaning_as_metadata", "own_meaning", "own_values"]

_KEY = "clip_meaning"
_NOT_KEPT = ("vision_mlp_width", "text_mlp_width", "source", "doubtful")
_LONGEST = 1 << 14


def meaning_as_metadata(settled: Meaning) -> dict[str, str]:
    """The entry of a safetensors file's metadata that `own_values` reads.

    >>> said = Meaning(activation="gelu", vision_heads=16, text_heads=16)
    >>> meaning_as_metadata(said)["clip_meaning"][:43]
    '{"activation": "gelu", "vision_heads": 16, '
    """
    said = {key: value for key, value in asdict(settled).items() if key not in _NOT_KEPT}
    return {_KEY: json.dumps(said)}


def own_values(metadata: Mapping[str, str], path: str) -> Values | None:
    """What `meaning_as_metadata` has put there; None where it has not.

    Raises:
        CheckpointError: it is there, but makes no sense.
    """
    text = metadata.get(_KEY)
    if text is None:
        return None
    try:
        return Values(json.loads(text[:_LONGEST]), path, _KEY)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(path, f"the entry {_KEY} of its metadata makes no sense") from error


def own_meaning(said: Values) -> Meaning:
    """What `own_values` found."""
    return Meaning(
        activation=said.choice("activation", ACTIVATIONS, ACTIVATIONS["quick_gelu"]),
        vision_heads=said.get("vision_heads", 0),
        text_heads=said.get("text_heads", 0),
        vision_eps=said.between("vision_eps", 0.0, 0.1, Meaning.vision_eps),
        text_eps=said.between("text_eps", 0.0, 0.1, Meaning.text_eps),
        mean=said.channels("mean", Meaning.mean, -10.0),
        std=said.channels("std", Meaning.std, 1e-3),
        interpolation=said.choice("interpolation", INTERPOLATIONS, Meaning.interpolation),
        resize_mode=said.choice("resize_mode", RESIZE_MODES, Meaning.resize_mode),
        fill_color=said.between("fill_color", 0, 255, Meaning.fill_color),
        source="its metadata",
    )
