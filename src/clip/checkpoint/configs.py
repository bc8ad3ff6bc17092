"""The config that belongs to the weights, whoever wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..architecture import Architecture
from .config_values import Values
from .meaning import Meaning
from .open_clip_config import open_clip_meaning
from .own_config import own_meaning
from .transformers_config import transformers_meaning

__all__ = ["ModelConfig", "meaning_of"]


@dataclass(frozen=True)
class ModelConfig:
    """What stands in a directory beside the weights, or in the metadata of their file.

    Attributes:
        library: that wrote it and says what its options mean; "clip" is ours.
        model: sizes and options of the model.
        preprocess: how pictures are prepared; empty where the directory does not say.
    """

    library: Literal["transformers", "open_clip", "clip"]
    model: Values
    preprocess: Values


def meaning_of(config: ModelConfig, architecture: Architecture) -> Meaning:
    """What a config says about a model with weights of these sizes.

    Raises:
        CheckpointError: it contradicts the weights, or asks for what OpenAI's architecture does not
            compute; the message names the file and the option.
    """
    if config.library == "clip":
        return own_meaning(config.model)
    read = transformers_meaning if config.library == "transformers" else open_clip_meaning
    return read(config.model, config.preprocess, architecture)
