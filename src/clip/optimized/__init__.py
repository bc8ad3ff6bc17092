"""Frozen encoders: a model's towers folded, fused and packed for inference."""

from __future__ import annotations

from typing import Any

__all__ = ["optimize"]


def optimize(model: Any, precision: str = "auto") -> Any:
    raise NotImplementedError
