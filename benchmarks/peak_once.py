"""The machine's own speed at matrix products: python peak_once.py snaplink SECONDS

Of each precision the best of what this torch offers is the peak that roofline columns compare
with. Without an operator (another torch, another processor) its figure is null.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch

SIDE = 2048
FLOP = 2 * SIDE**3

Product = Callable[[], object]


def products() -> Iterator[tuple[str, Callable[[], Product]]]:
    """Names of precisions, and what makes a product ready to run in each."""
    torch.manual_seed(0)
    left, right = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        pair = left.to(dtype), right.to(dtype)
        yield precision, partial(partial, torch.nn.functional.linear, *pair)
        yield precision, partial(with_onednn, *pair)
    yield "int8", partial(partial, torch._int_mm, in_8_bits(left), in_8_bits(right))
    yield "int8", partial(with_packed_int8, in_8_bits(left), in_8_bits(right))


def in_8_bits(values: torch.Tensor) -> torch.Tensor:
    return (values * 30).clamp(-127, 127).to(torch.int8)


def with_onednn(left: torch.Tensor, right: torch.Tensor) -> Product:
    return partial(torch.ops.mkldnn._linear_pointwise, left, right, None, "none", [], "")


def with_packed_int8(left: torch.Tensor, right: torch.Tensor) -> Product:
    """uint8 by packed int8 with per-channel scales, to float32."""
    packed = torch.ops.onednn.qlinear_prepack(right, None)
    scales, zeros = torch.full((SIDE,), 1 / 30), torch.zeros(SIDE, dtype=torch.int)
    settings = (1 / 30, 128, packed, scales, zeros, None, 1.0, 0, torch.float32, "none", [], "")
    unsigned = (left.int() + 128).to(torch.uint8)
    return partial(torch.ops.onednn.qlinear_pointwise, unsigned, *settings)


def best(product: Product, seconds: float) -> float:
    """The fastest of as many runs as fit, in GFLOP/s."""
    product()
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        product()
        times.append(time.perf_counter() - begin)
    return FLOP / 1e9 / min(times)


def main() -> None:
    seconds = float(sys.argv[2])
    found: dict[str, float | None] = {"fp32": None, "bf16": None, "int8": None}
    with torch.no_grad():
        for precision, ready in products():
            try:
                speed = best(ready(), seconds)
            except (AttributeError, NotImplementedError, RuntimeError):
                continue
            found[precision] = max(speed, found[precision] or 0)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
