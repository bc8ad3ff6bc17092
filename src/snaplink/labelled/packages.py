"""Packages that only some data need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from snaplink.errors import ArgumentError

__all__ = ["needed"]


def needed(module: str, extra: str | None = None) -> Any:
    """Import a module of an optional package.

    Raises:
        ArgumentError: it is not installed; says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        how = f'pip install "snaplink[{extra}]"' if extra else f"pip install {package}"
        reason = "" if isinstance(error, ModuleNotFoundError) else f" ({error})"
        raise ArgumentError(
            f"this needs {package}, which cannot be imported{reason}: {how}"
        ) from None
