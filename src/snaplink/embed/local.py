"""The engine for one machine: processes decode, a thread for each device encodes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from .channel import Channel
from .decoders import Decoders, cores
from .encoding import Gathered, Modalities, encode, gathered
from .engine import Engine, Task, vectors_of
from .items import Batch, Item
from .models import Models

if TYPE_CHECKING:
    from snaplink.encoder import Encoder

__all__ = ["LocalEngine"]


class LocalEngine(Engine):
    """Uses all of this machine.

    Args:
        models: what runs the model; loaded while the processes start.
        task: what to do.
    """

    def __init__(self, models: Models, task: Task) -> None:
        self._wanted = task.wanted
        self._decoders = Decoders(task.workers or cores(), task.limit)
        try:
            self._encoders = models.everywhere()
            self.vectors = vectors_of(self._encoders[0], task)
        except BaseException:
            self.close()
            raise
        self._decoders.use(self.vectors.reader)

    def run(self, items: Iterator[Item]) -> Generator[Batch, None, None]:
        pipeline = _Pipeline(items, self._decoders, self._encoders, self._wanted)
        try:
            yield from pipeline.results()
        finally:
            pipeline.stop()

    def close(self) -> None:
        self._decoders.close()


class _Pipeline:
    """Threads that pass batches on: one gathers what was decoded, the others encode."""

    def __init__(
        self,
        items: Iterator[Item],
        decoders: Decoders,
        encoders: Sequence[Encoder],
        wanted: Modalities,
    ) -> None:
        self._items = items
        self._decoders = decoders
        self._wanted = wanted
        self._batch_size = encoders[0].batch_size
        self._decoded: Channel[Gathered] = Channel(len(encoders) + 1)
        self._encoded: Channel[Batch] = Channel(len(encoders) + 1)
        self._error: BaseException | None = None
        self._encoding = len(encoders)
        self._counting = threading.Lock()
        work: list[Callable[[], None]] = [self._decode]
        work += [partial(self._encode, encoder) for encoder in encoders]
        self._threads = [self._started(each) for each in work]

    def _started(self, work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # told by `results`
                self._error = self._error or error
                self._decoded.close()
                self._encoded.close()

        thread = threading.Thread(target=run, name="embed", daemon=True)
        thread.start()
        return thread

    def _decode(self) -> None:
        for batch in gathered(self._decoders.map(self._items), self._batch_size):
            if not self._decoded.put(batch):
                return
        self._decoded.close()

    def _encode(self, encoder: Encoder) -> None:
        for batch in self._decoded:
            if not self._encoded.put(encode(batch, encoder, self._wanted)):
                return
        with self._counting:
            self._encoding -= 1
            if not self._encoding:  # the last one out closes the door
                self._encoded.close()

    def results(self) -> Iterator[Batch]:
        yield from self._encoded
        if self._error:
            raise self._error

    def stop(self) -> None:
        """End the threads, whatever they are at."""
        self._decoders.stop()
        self._decoded.close()
        self._encoded.close()
        decoding, *encoding = self._threads
        for thread in encoding:
            thread.join()
        decoding.join(1)  # longer only if a source, such as standard input, keeps it waiting
