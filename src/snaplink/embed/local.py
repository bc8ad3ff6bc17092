"""The engine for one machine: processes decode, a thread for each device encodes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from .channel import Channel
from .decoders import Decoders
from .encoding import Gathered, Modalities, encode, gathered
from .items import Batch, Item

if TYPE_CHECKING:
    from snaplink.encoder import Encoder

__all__ = ["run"]


def run(
    items: Iterator[Item], decoders: Decoders, encoders: Sequence[Encoder], wanted: Modalities
) -> Generator[Batch, None, None]:
    """Read and encode items, and yield what came of them, in no particular order.

    Args:
        items: taken in another thread, a little ahead.
        decoders: processes that were told what to do; closed at the end.
        encoders: one a device, or two on one, so that it need not wait between batches.
        wanted: the modalities to embed.
    """
    pipeline = _Pipeline(items, decoders, encoders, wanted)
    try:
        yield from pipeline.results()
    finally:
        pipeline.stop()


class _Pipeline:
    def __init__(
        self,
        items: Iterator[Item],
        decoders: Decoders,
        encoders: Sequence[Encoder],
        wanted: Modalities,
    ) -> None:
        self._decoders = decoders
        self._decoded: Channel[Gathered] = Channel(len(encoders) + 1)
        self._encoded: Channel[Batch] = Channel(len(encoders) + 1)
        self._error: BaseException | None = None
        self._encoding = len(encoders)
        self._counting = threading.Lock()

        def decode() -> None:
            for batch in gathered(decoders.map(items), encoders[0].batch_size):
                if not self._decoded.put(batch):
                    return

        def encode_with(encoder: Encoder) -> None:
            for batch in self._decoded:
                if not self._encoded.put(encode(batch, encoder, wanted)):
                    return

        self._threads = [
            self._thread(decode, self._decoded.close),
            *(self._thread(partial(encode_with, each), self._one_less) for each in encoders),
        ]

    def _thread(self, work: Callable[[], None], at_end: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                self._error = self._error or error
                self._decoded.close()
                self._encoded.close()
            finally:
                at_end()

        thread = threading.Thread(target=run, name="embed")
        thread.start()
        return thread

    def _one_less(self) -> None:
        """The last encoder closes the door."""
        with self._counting:
            self._encoding -= 1
            if not self._encoding:
                self._encoded.close()

    def results(self) -> Iterator[Batch]:
        yield from self._encoded
        if self._error:
            raise self._error

    def stop(self) -> None:
        """End threads and processes, whatever they are at."""
        self._decoders.stop()
        self._decoded.close()
        self._encoded.close()
        for thread in self._threads:
            thread.join()
        self._decoders.close()
