"""`precision="auto"`: the fastest precision whose features are nearly the exact ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from . import memory, probes
from .encoder import OptimizedCLIP

__all__ = ["fastest"]

_NEARLY = 0.999
"""The smallest cosine to the exact features that `auto` accepts."""

_CLEARLY = 0.95
"""How much of the time a less exact precision may take to be worth it."""

_PICTURES, _CAPTIONS = 8, 32


def fastest(model: Any, pack: Callable[[str], OptimizedCLIP | None]) -> OptimizedCLIP:
    """The packed model in the precision that is, or was found to be, the fastest here.

    Args:
        model: exact.
        pack: makes a precision of it; None where this computer has none.
    """
    known_as = memory.key(model)
    known = memory.recall(known_as)
    packed = pack(known) if known else None
    if packed is not None:
        return packed

    image = probes.pictures(_PICTURES, model.visual.input_resolution)
    text = probes.captions(_CAPTIONS, model.context_length, model.vocab_size)
    exact = probes.both(model, image, text)
    best, shortest, measured = None, float("inf"), {}
    for precision in ("fp32", "bf16", "int8"):
        candidate = pack(precision)  # one beside the best so far, to spare memory
        if candidate is None:
            continue
        pairs = zip(probes.both(candidate, image, text), exact, strict=True)
        cosine = min(probes.cosine(*pair) for pair in pairs)
        seconds = _seconds(partial(probes.both, candidate, image, text))
        measured[precision] = {"cosine": cosine, "seconds": seconds}
        if best is None or (cosine >= _NEARLY and seconds < _CLEARLY * shortest):
            best, shortest = candidate, seconds
    assert best is not None
    memory.remember(known_as, best.precision, measured)
    return best


def _seconds(run: Callable[[], object]) -> float:
    """The shortest of a few runs: what else the computer does only makes them longer."""
    times: list[float] = []
    while len(times) < 3 or (sum(times) < 0.5 and len(times) < 20):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return min(times)
