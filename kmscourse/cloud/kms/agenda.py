"""What is to happen at its time: deletions, rotations, expiry, work in the background."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count

Event = Callable[[datetime], None]


class Agenda:
    """Events in the order of their time, and of their entry where times are equal.

    An event is told the time it was due, not the time at which the clock was looked at: a year
    that passes in one step rotates a key on the days it would have rotated. It looks for itself
    whether it is still wanted.
    """

    def __init__(self) -> None:
        self._due: list[tuple[datetime, int, Event]] = []
        self._order = count()

    def add(self, when: datetime, event: Event) -> None:
        """Enter an event; it may enter others."""
        heapq.heappush(self._due, (when, next(self._order), event))

    def run(self, now: datetime) -> None:
        """Let happen everything that is due."""
        while self._due and self._due[0][0] <= now:
            when, _, event = heapq.heappop(self._due)
            event(when)
