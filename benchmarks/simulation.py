"""A cluster that embeds, event by event: what its parts make together, with queues and failures.

python benchmarks/simulation.py        what docs/scaling.md shows

Packs of pictures go from cores that decode, through a short queue on each machine, to GPUs, and
from all machines to the one writer. A machine that fails loses the packs that it has and starts
again; they are done once more.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from dataclasses import dataclass

from tables import table


@dataclass(frozen=True)
class Plant:
    """What there is, and how fast each part is by itself.

    Attributes:
        machines: how many.
        cores: of each machine, that decode.
        gpus: of each machine.
        decode: pictures a second of a core.
        encode: pictures a second of a GPU.
        write: rows a second of the writer.
        pack: pictures that go together.
        queue: packs that may wait for each GPU, beside one a core.
        spread: of the time a pack takes to decode, as a share of its mean.
        seconds_between_failures: of one machine, on average.
        restart: seconds until a machine that failed works again, the model loaded.
    """

    machines: int
    cores: int
    gpus: int
    decode: float
    encode: float
    write: float = math.inf
    pack: int = 256
    queue: int = 2
    spread: float = 0.3
    seconds_between_failures: float = math.inf
    restart: float = 120.0

    @property
    def ideal(self) -> float:
        """Pictures a second if nothing ever waited or failed."""
        by_machine = min(self.cores * self.decode, self.gpus * self.encode)
        return min(self.machines * by_machine, self.write)


@dataclass
class _Machine:
    idle_cores: int
    idle_gpus: int
    waiting: int = 0
    decoding: int = 0
    life: int = 0  # what was begun in an earlier one is lost


class Simulation:
    """Runs a plant; what counts are the pictures that the writer has by the end."""

    def __init__(self, plant: Plant, seed: int = 0) -> None:
        self._plant = plant
        self._chance = random.Random(seed)
        self._number = itertools.count()
        self._events: list[tuple[float, int, str, int, int]] = []
        self._machines = [_Machine(plant.cores, plant.gpus) for _ in range(plant.machines)]
        self._writer_free = 0.0
        self._written = 0

    def run(self, seconds: float, warm_up: float = 0.0) -> float:
        """Pictures a second that are written between `warm_up` and `seconds`."""
        for number in range(len(self._machines)):
            self._fail_later(0.0, number)
            self._work(0.0, number)
        while self._events and self._events[0][0] < seconds:
            now, _, kind, number, life = heapq.heappop(self._events)
            if life == self._machines[number].life:
                getattr(self, f"_{kind}")(now, number)
                self._work(now, number)
            if now < warm_up:
                self._written = 0
        return self._written * self._plant.pack / (seconds - warm_up)

    def _at(self, time: float, kind: str, number: int) -> None:
        life = self._machines[number].life
        heapq.heappush(self._events, (time, next(self._number), kind, number, life))

    def _work(self, now: float, number: int) -> None:
        """Whoever is idle and has something to do begins."""
        plant, machine = self._plant, self._machines[number]
        while machine.idle_gpus and machine.waiting:
            machine.idle_gpus -= 1
            machine.waiting -= 1
            self._at(now + plant.pack / plant.encode, "encoded", number)
        most = plant.cores + plant.queue * plant.gpus
        while machine.idle_cores and machine.waiting + machine.decoding < most:
            machine.idle_cores -= 1
            machine.decoding += 1
            share = max(0.1, self._chance.gauss(1, plant.spread))
            self._at(now + share * plant.pack / plant.decode, "decoded", number)

    def _decoded(self, now: float, number: int) -> None:
        machine = self._machines[number]
        machine.idle_cores += 1
        machine.decoding -= 1
        machine.waiting += 1

    def _encoded(self, now: float, number: int) -> None:
        """The writer takes packs one after the other; a GPU waits while too many are before it."""
        self._writer_free = max(self._writer_free, now) + self._plant.pack / self._plant.write
        self._written += 1
        self._at(max(now, self._writer_free - 1.0), "rested", number)

    def _rested(self, now: float, number: int) -> None:
        self._machines[number].idle_gpus += 1

    def _failed(self, now: float, number: int) -> None:
        life = self._machines[number].life + 1
        self._machines[number] = _Machine(0, 0, life=life)
        self._at(now + self._plant.restart, "restarted", number)

    def _restarted(self, now: float, number: int) -> None:
        self._machines[number].idle_cores = self._plant.cores
        self._machines[number].idle_gpus = self._plant.gpus
        self._fail_later(now, number)

    def _fail_later(self, now: float, number: int) -> None:
        mean = self._plant.seconds_between_failures
        if mean < math.inf:
            self._at(now + self._chance.expovariate(1 / mean), "failed", number)


def simulated(plant: Plant, seconds: float = 600.0) -> float:
    """Pictures a second of a plant, without its first twentieth."""
    return Simulation(plant).run(seconds, seconds / 20)


HOUR = 3_600.0
EXAMPLE = {"cores": 32, "gpus": 1, "decode": 150.0, "encode": 2_000.0, "write": 19_000.0}
"""Round numbers to show the arithmetic, but for the writer's: put in what you measure."""


def main() -> None:
    rows = []
    for machines in (1, 2, 4, 8, 16):
        plant = Plant(machines, **EXAMPLE, seconds_between_failures=6 * HOUR)
        rate = simulated(plant, HOUR)
        hours = 1e9 / rate / HOUR
        rows.append(
            [
                str(machines),
                f"{plant.ideal:,.0f}",
                f"{rate:,.0f}",
                f"{rate / plant.ideal:.0%}",
                f"{hours:,.1f}",
                f"{hours * machines:,.0f}",
            ]
        )
    head = ["machines", "ideal/s", "simulated/s", "of ideal", "hours for 10^9", "machine-hours"]
    print(table(head, rows))


if __name__ == "__main__":
    main()
