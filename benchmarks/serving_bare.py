"""The work of a server without a server: bytes and words to vectors, in one process.

    python serving_bare.py snaplink MODEL FOLDER WORKLOAD SECONDS
    python serving_bare.py snaplink MODEL FOLDER WORKLOAD SECONDS alone

The first as fast as it goes, in batches, pictures decoded by threads meanwhile or before, whichever
is faster; the second one call after the other, as a lone caller would.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import torch
from serving_inputs import inputs, jpegs
from serving_load import percentile

from snaplink.encoder import Encoder, load_encoder
from snaplink.images import decode, prepared

BATCH = 32


def main() -> None:
    model, folder, workload, seconds, *alone = sys.argv[2:]
    encoder = load_encoder(model, batch_size=BATCH)
    wanted = inputs(workload, jpegs(Path(folder)))
    if alone:
        print(json.dumps(lone(encoder, wanted, float(seconds))))
        return
    kinds = 2 if workload == "half and half" else 1
    ways = [overlapped, in_turn] if workload != "captions" else [in_turn]
    rates = [rate(way(encoder, wanted, kinds * BATCH), float(seconds) / len(ways)) for way in ways]
    print(json.dumps({"bare/s": max(rates)}))


def lone(encoder: Encoder, wanted: Iterator[str | bytes], seconds: float) -> dict[str, object]:
    latencies = []
    for item in islice(wanted, 3):
        encode(encoder, [item])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        item = next(wanted)
        begin = time.perf_counter()
        encode(encoder, [item])
        latencies.append(time.perf_counter() - begin)
    return {"direct p50 ms": percentile(latencies, 0.5)}


def encode(encoder: Encoder, items: list[str | bytes]) -> None:
    """Texts in one batch, pictures in another."""
    texts = [item for item in items if isinstance(item, str)]
    files = [item for item in items if isinstance(item, bytes)]
    encoder.encode_texts(texts, normalize=True)
    if files:
        pixels = torch.stack([encoder.pixels(decode(file, upright=True)) for file in files])
        encoder.encode_pixels(pixels, normalize=True)


def in_turn(encoder: Encoder, wanted: Iterator[str | bytes], count: int) -> Callable[[], int]:
    """Decode a batch, then encode it."""

    def work() -> int:
        encode(encoder, list(islice(wanted, count)))
        return count

    return work


def overlapped(encoder: Encoder, wanted: Iterator[str | bytes], count: int) -> Callable[[], int]:
    """Decode in threads while others are encoded."""

    def ready(item: str | bytes) -> str | torch.Tensor:
        return encoder.pixels(decode(item, upright=True)) if isinstance(item, bytes) else item

    flow = prepared(wanted, ready)

    def work() -> int:
        batch = [item for _, item in islice(flow, count)]
        encoder.encode_texts([item for item in batch if isinstance(item, str)], normalize=True)
        pixels = [item for item in batch if isinstance(item, torch.Tensor)]
        encoder.encode_pixels(torch.stack(pixels), normalize=True)
        return count

    return work


def rate(work: Callable[[], int], seconds: float) -> float:
    """Items a second, after a first batch that is not counted."""
    work()
    done, begin = 0, time.perf_counter()
    while (passed := time.perf_counter() - begin) < seconds or not done:
        done += work()
    return done / (time.perf_counter() - begin if done else passed)


if __name__ == "__main__":
    main()
