"""What a container yields, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Contents"]


@dataclass(frozen=True)
class Contents:
    """A file read as far as its description of the weights.

    Attributes:
        format: in words, for people.
        tree: dicts, lists and tuples, in any nesting, of tensors and of values that stay inert.
        metadata: what a safetensors file says about itself.
        rounds_to_half: whether the weights are to go through float16, as openai/CLIP's code does
            with its TorchScript archives.
    """

    format: str
    tree: Any
    metadata: dict[str, str] = field(default_factory=dict)
    rounds_to_half: bool = False
