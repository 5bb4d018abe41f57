"""A simulation by discrete events: processes that wait, and queues for what only some of them can hold."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Generator

Steps = Generator["float | Queue", None, None]


class Queue:
    """Something that a number of processes can hold, such as runners or a resource group; the lowest rank is first."""

    def __init__(self, clock: Clock, free: int = 1) -> None:
        """All are free."""
        self.clock, self.free = clock, free
        self.waiting: list[tuple[int, int, Steps]] = []

    def take(self, steps: Steps) -> None:
        """Let a process have one, now or later."""
        heapq.heappush(self.waiting, (self.clock.rank(steps), next(self.clock.numbers), steps))
        self._serve()

    def give(self) -> None:
        """Give one back."""
        self.free += 1
        self._serve()

    def _serve(self) -> None:
        while self.free and self.waiting:
            self.free -= 1
            self.clock.after(0, heapq.heappop(self.waiting)[2])


class Clock:
    """Runs processes, which yield the seconds that they wait, or a queue that they take."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self.now = 0.0
        self.numbers = itertools.count()
        self._events: list[tuple[float, int, Steps]] = []
        self._ranks: dict[int, int] = {}

    def begin(self, steps: Steps, *, rank: int = 0, delay: float = 0) -> None:
        """Start a process."""
        self._ranks[id(steps)] = rank
        self.after(delay, steps)

    def rank(self, steps: Steps) -> int:
        """Return the rank of a process."""
        return self._ranks[id(steps)]

    def after(self, seconds: float, steps: Steps) -> None:
        """Continue a process later."""
        heapq.heappush(self._events, (self.now + seconds, next(self.numbers), steps))

    def run(self) -> None:
        """Run until nothing happens any more."""
        while self._events:
            self.now, _, steps = heapq.heappop(self._events)
            wanted = next(steps, None)
            if isinstance(wanted, Queue):
                wanted.take(steps)
            elif wanted is not None:
                self.after(wanted, steps)
