"""A clock that stands still until it is moved."""

from __future__ import annotations

START = 1_700_000_000_000_000


class FakeClock:
    """A `Clock` for tests; `start` is in microseconds since the epoch."""

    def __init__(self, start: int = START) -> None:
        self._now = start
        self._monotonic = 1000.0

    def now(self) -> int:
        """Return the wall clock, in microseconds."""
        return self._now

    def monotonic(self) -> float:
        """Return the monotonic clock, in seconds."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self._now += round(seconds * 1_000_000)
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Move the wall clock alone, forward or back, as NTP or a person does."""
        self._now += round(seconds * 1_000_000)
