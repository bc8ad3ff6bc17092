"""Attackers who send all that `tests/attacks/uploads` has, over and over, until they are ended.

    python serving_hostile.py snaplink PORT ATTACKERS SECONDS

Prints how many attacks there were, and how many were not refused as they should be.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "attacks"))

from uploads.corpus import Attack, attacks
from uploads.wire import send


class Attacker(threading.Thread):
    """One who sends the next when he was refused; each has an order of his own."""

    def __init__(self, port: int, found: list[Attack], number: int, until: float) -> None:
        super().__init__()
        self._port, self._until = port, until
        self._attacks = random.Random(number).sample(found, len(found))
        self.sent = 0
        self.failed: list[str] = []

    def run(self) -> None:
        while time.monotonic() < self._until:
            attack = self._attacks[self.sent % len(self._attacks)]
            self.sent += 1
            try:
                status = send(self._port, attack.request).status
            except OSError as error:
                self.failed.append(f"{attack.name}: {error}")
                continue
            if status not in attack.statuses and status not in (429, 504):
                self.failed.append(f"{attack.name}: {status}")


def main() -> None:
    port, count, seconds = sys.argv[2:]
    found = attacks()
    until = time.monotonic() + float(seconds)
    attackers = [Attacker(int(port), found, number, until) for number in range(int(count))]
    for attacker in attackers:
        attacker.start()
    for attacker in attackers:
        attacker.join()
    failed = [each for attacker in attackers for each in attacker.failed]
    if failed:
        print("\n".join(failed), file=sys.stderr)
    sent = sum(attacker.sent for attacker in attackers)
    print(json.dumps({"attacks": sent, "not refused": len(failed)}))


if __name__ == "__main__":
    main()
