"""Does it scale as simulated? One and two processes that decode, an encoder of known speed.

The encoder sleeps as long as an accelerator would be busy, and leaves the cores to the others.
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import torch
from embed_once import TASK, decode_rate, items
from harness import ROOT, WORKSHOP, Measurement, in_turn, publish, run
from simulation import Plant, simulated

from snaplink.embed.encoding import Modalities
from snaplink.embed.engine import Engine, Task
from snaplink.embed.local import LocalEngine
from snaplink.embed.ray import RayEngine
from snaplink.encoder import ClipEncoder, load_encoder

PAGE = ROOT / "docs" / "scaling.md"
BATCH = 16


class Sleeping:
    """Stands for `Models`: the size of tiny, and as fast as it is told to be."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def on(self, device: str) -> ClipEncoder:
        encoder = load_encoder("tiny", "cpu", batch_size=BATCH)
        encoder._pictures = self._pictures  # type: ignore[method-assign]
        return encoder

    def everywhere(self) -> list[ClipEncoder]:
        return [self.on("cpu")]

    def batch_on(self, device: str) -> int:
        return BATCH

    def _pictures(self, pixels: torch.Tensor) -> torch.Tensor:
        time.sleep(len(pixels) / self.rate)
        return torch.ones(len(pixels), 128)


def bench(rounds: int, quick: bool) -> None:
    photos = WORKSHOP / f"photos-{40 if quick else 2000}"
    run("photos.py", "openai/CLIP", str(photos), photos.name.partition("-")[2])
    one = decoding(photos, 1)
    encode = 1.5 * one  # one process is too slow for it, two are too fast
    cases = {
        f"{name}, {workers} decoding": (lambda kind=kind, workers=workers: measured(
            kind, photos, workers, encode
        ))
        for name, kind in {"local": LocalEngine, "ray": RayEngine}.items()
        for workers in (1, 2)
    }  # fmt: skip
    publish(
        "scaling", "Pictures a second with one and two processes", in_turn(cases, rounds), page=PAGE
    )


def task(workers: int) -> Task:
    return Task(Modalities(), TASK.upright, TASK.hashed, workers, TASK.limit)


def decoding(photos: Path, workers: int) -> float:
    with closing(LocalEngine(Sleeping(1e9), task(workers))) as engine:
        decode_rate(engine, photos)  # until everything is imported
        return decode_rate(engine, photos)


def measured(kind: type[Engine], photos: Path, workers: int, encode: float) -> Measurement:
    decode = decoding(photos, workers)
    plant = Plant(1, workers, 1, decode / workers, encode, pack=BATCH)
    with closing(kind(Sleeping(encode), task(workers))) as engine:
        both = steady_rate(engine, photos)
    slower = min(decode, encode)
    return {
        "decode/s": decode,
        "encode/s": encode,
        "measured/s": both,
        "simulated/s": simulated(plant, 100),
        "of the slower": both / slower,
    }


def steady_rate(engine: Engine, photos: Path) -> float:
    """From the second batch on: without the start of processes and actors."""
    count, begin = 0, 0.0
    for batch in engine.run(items(photos)):
        if begin:
            count += len(batch.rows)
        else:
            begin = time.perf_counter()
    return count / (time.perf_counter() - begin)
