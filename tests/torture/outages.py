"""Which of the targets are down when: outages of random lengths, until all targets are up for good.

Must not know who looks at them.
"""

from __future__ import annotations

import dataclasses
import threading
import time

from program import choices

# How long a target is up, in seconds.
UP_SECONDS = (2.0, 8.0)
# How long it is down: how likely, from, to. Short ones begin and end between two kills, long ones last over several.
DOWN_SECONDS = ((0.6, 0.5, 5.0), (0.28, 5.0, 12.0), (0.12, 20.0, 35.0))


@dataclasses.dataclass
class Outage:
    """One time for which a target was down, in seconds of Unix time."""

    target: int
    begun: float
    ended: float | None = None

    def seconds(self) -> float:
        """How long it lasted."""
        return (self.ended or time.time()) - self.begun


class Outages:
    """The state of a number of targets, changed by a thread of its own."""

    def __init__(self, seed: int, targets: int) -> None:
        self._choices = [choices(seed, f"target {target}") for target in range(targets)]
        self._current: list[Outage | None] = [None] * targets
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.all: list[Outage] = []

    def start(self) -> None:
        """Begins to break targets."""
        self._thread.start()

    def stop(self) -> None:
        """All targets are up from now on."""
        self._stopped.set()
        self._thread.join()
        for target in range(len(self._current)):
            self._end(target)

    def down_since(self, target: int) -> float | None:
        """When the outage began that a target is in."""
        outage = self._current[target]
        return None if outage is None else outage.begun

    def _run(self) -> None:
        now = time.monotonic()
        turns = [now + each.uniform(0, UP_SECONDS[1]) for each in self._choices]
        while not self._stopped.wait(max(0.0, min(turns) - time.monotonic())):
            target = turns.index(min(turns))
            if self._current[target] is None:
                self._begin(target)
                _, shortest, longest = self._kind(target)
            else:
                self._end(target)
                shortest, longest = UP_SECONDS
            turns[target] = time.monotonic() + self._choices[target].uniform(shortest, longest)

    def _kind(self, target: int) -> tuple[float, float, float]:
        weights = [kind[0] for kind in DOWN_SECONDS]
        return self._choices[target].choices(DOWN_SECONDS, weights)[0]

    def _begin(self, target: int) -> None:
        with self._lock:
            outage = Outage(target, time.time())
            self._current[target] = outage
            self.all.append(outage)

    def _end(self, target: int) -> None:
        with self._lock:
            outage = self._current[target]
            if outage is not None:
                outage.ended = time.time()
            self._current[target] = None
