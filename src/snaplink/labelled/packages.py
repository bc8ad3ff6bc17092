"""Packages that only some data need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from snaplink.errors import ArgumentError, MissingPackageError

__all__ = ["needed"]


def needed(module: str, purpose: str, extra: str | None = None) -> Any:
    """Import a module of an optional package.

    Args:
        module: its name.
        purpose: what needs it, in the plural, at the beginning of a sentence.
        extra: our extra that brings it; None for a package that people install themselves.

    Raises:
        MissingPackageError: an extra is not installed.
        ArgumentError: the package is not installed, or cannot be imported.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        if extra:
            raise MissingPackageError(purpose, package, extra) from None
        reason = f": {error}" if not isinstance(error, ModuleNotFoundError) else ""
        raise ArgumentError(
            f"{purpose} need {package}, which cannot be imported{reason}. Try: "
            f"pip install {package}"
        ) from None
