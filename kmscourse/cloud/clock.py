"""The simulated time, which learners may advance and never turn back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

#: Where the clock of a seeded cloud starts, so that its outputs are the same in each run.
SEEDED_START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def written(time: datetime) -> str:
    """A time in UTC as AWS writes it into records and conditions: 2026-11-23T09:00:00Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


class Clock:
    """What time it is in the simulated AWS, always in UTC.

    Unseeded, it runs with the real clock. Seeded, it starts at `SEEDED_START` and stands
    still but for one second with each request, so that the trail keeps its order and a
    notebook's outputs can be compared.

    Args:
        seeded: whether the clock stands still between requests.
        on_advance: called after each `advance`, so that what fell due can happen.
    """

    def __init__(self, *, seeded: bool = False, on_advance: Callable[[], None] | None = None):
        self._still = SEEDED_START if seeded else None
        self._ahead = timedelta()
        self._on_advance = on_advance

    def now(self) -> datetime:
        """The simulated time."""
        return (self._still or datetime.now(UTC)) + self._ahead

    def tick(self) -> None:
        """Let one second pass where the clock stands still: called once for each request."""
        if self._still is not None:
            self._ahead += timedelta(seconds=1)

    def advance(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> datetime:
        """Move the simulated time forward, and let everything that falls due happen.

        Returns:
            The new time.

        Raises:
            ValueError: for a step backwards; AWS has no way back either.
        """
        step = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if step < timedelta():
            raise ValueError("The clock only runs forward: give a positive number of days.")
        self._ahead += step
        if self._on_advance is not None:
            self._on_advance()
        return self.now()

    def __repr__(self) -> str:
        return f"Clock({self.now():%Y-%m-%d %H:%M:%S} UTC)"
