"""What decoding, encoding and both together manage, in one process and without its start:

python embed_once.py snaplink FOLDER MODEL
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import torch

from snaplink.embed.encoding import Modalities
from snaplink.embed.engine import Task
from snaplink.embed.items import Item
from snaplink.embed.local import LocalEngine
from snaplink.embed.models import Models
from snaplink.embed.sources import Columns, opened

TASK = Task(Modalities(), upright=True, hashed=False, workers=None, limit=60)


def items(folder: Path) -> Iterator[Item]:
    for source in opened([folder], Columns()):
        yield from source.items(print)


def decode_rate(engine: LocalEngine, folder: Path) -> float:
    """Pictures a second when nothing encodes."""
    decoders = engine._decoders
    begin = time.perf_counter()
    count = sum(1 for _ in decoders.map(items(folder)))
    return count / (time.perf_counter() - begin)


def encode_rate(engine: LocalEngine, count: int) -> float:
    """Pictures a second when nothing decodes."""
    encoder = engine._encoders[0]
    side = encoder.resolution
    batch = torch.randint(0, 255, (encoder.batch_size, 3, side, side), dtype=torch.uint8)
    encoder.encode_pixels(batch)
    begin = time.perf_counter()
    turns = max(2, count // len(batch))
    for _ in range(turns):
        encoder.encode_pixels(batch, normalize=True)
    return turns * len(batch) / (time.perf_counter() - begin)


def pipeline_rate(engine: LocalEngine, folder: Path) -> float:
    begin = time.perf_counter()
    count = sum(len(batch.rows) for batch in engine.run(items(folder)))
    return count / (time.perf_counter() - begin)


def main() -> None:
    folder, model = Path(sys.argv[2]), sys.argv[3]
    with closing(LocalEngine(Models(model), TASK)) as engine:
        decode_rate(engine, folder)  # the processes have imported everything by then
        count = sum(1 for _ in items(folder))
        decode = decode_rate(engine, folder)
        encode = encode_rate(engine, count)
        both = pipeline_rate(engine, folder)
    print(
        json.dumps(
            {
                "decode/s": decode,
                "encode/s": encode,
                "both/s": both,
                "of 1/(1/d+1/e)": both * (1 / decode + 1 / encode),
            }
        )
    )


if __name__ == "__main__":
    main()
