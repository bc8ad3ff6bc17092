"""`clip.load(..., jit=True)`: our own module as TorchScript. An archive's code is never run."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from .model import CLIP

__all__ = ["scripted"]


def scripted(model: CLIP) -> torch.jit.ScriptModule | None:
    """Trace `encode_image`, `encode_text` and `forward`, for any batch size.

    As in OpenAI's archives, `input_resolution`, `context_length` and `vocab_size` become buffers
    (0-dimensional, int64) of the module and of its state dict.

    Args:
        model: in eval mode, on its device and in its dtype; used up by the call.

    Returns:
        The module, or None where this torch refuses to trace: a warning says why, and the model
        is as it was.
    """
    sizes = {
        "input_resolution": int(model.visual.input_resolution),
        "context_length": model.context_length,
        "vocab_size": model.vocab_size,
    }
    device = model.logit_scale.device
    side = sizes["input_resolution"]
    image = torch.zeros(2, 3, side, side, device=device)
    text = torch.zeros(2, model.context_length, dtype=torch.int32, device=device)

    for name, size in sizes.items():
        model.__dict__.pop(name, None)
        model.register_buffer(name, torch.tensor(size, device=device))
    try:
        return _trace(model, image, text)
    except Exception as error:  # torch raises anything here, from RuntimeError to its own types
        reason = str(error).strip().splitlines() or [type(error).__name__]
        warnings.warn(
            f"torch {torch.__version__} did not trace the model ({reason[0]}); "
            "this is the eager model, which has the same methods and values.",
            stacklevel=3,
        )
        for name, size in sizes.items():
            delattr(model, name)
            if name != "input_resolution":
                setattr(model, name, size)
        return None


def _trace(model: CLIP, image: torch.Tensor, text: torch.Tensor) -> torch.jit.ScriptModule:
    examples = {"forward": (image, text), "encode_image": (image,), "encode_text": (text,)}
    trace: Any = torch.jit.trace_module
    with torch.no_grad(), warnings.catch_warnings():
        # torch.jit is deprecated, and tracing warns about every Python branch on a shape.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        module: torch.jit.ScriptModule = trace(model, examples, check_trace=False)
    return module
