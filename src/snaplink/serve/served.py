"""The model as its clients see it: its name, and which other names mean it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request

from clip.registry import official_name

from .errors import ApiError

if TYPE_CHECKING:
    from .inference import Inference

__all__ = ["check_model", "ready_inference"]


def ready_inference(request: Request) -> Inference:
    """The one who runs the model.

    Raises:
        NotReady: it is not loaded yet.
    """
    request.app.state.readiness.check()
    inference: Inference = request.app.state.inference
    return inference


def check_model(asked: str | None, inference: Inference) -> str:
    """The served model's name, if that is the one asked for, or none is.

    Raises:
        ApiError: another is.
    """
    served = inference.name
    if asked in (None, served) or (asked and official_name(asked) == served):
        return served
    raise ApiError(
        404,
        f"the model {asked[:100]!r} is not served here: {served!r} is, and is taken if a request "
        "names no model",
        "model",
        "model_not_found",
    )
