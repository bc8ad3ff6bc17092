"""The OpenAPI document, with what routes cannot say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

__all__ = ["completed"]

_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "The server's token, if any."}
}
_OPEN = ("/healthz", "/readyz", "/session")


def completed(made: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Add to FastAPI's document how the token is shown, and where it is not needed."""

    @cache
    def document() -> dict[str, Any]:
        found = made()
        found.setdefault("components", {})["securitySchemes"] = _SCHEMES
        found["security"] = [{"token": []}, {}]
        for path in _OPEN:
            for operation in found["paths"].get(path, {}).values():
                operation["security"] = []
        return found

    return document
