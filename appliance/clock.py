"""The time, as an argument: rooms are handed a clock so that tests can move it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings: one to write down, one to measure with."""

    def now(self) -> int:
        """Return the wall clock in microseconds since 1970-01-01T00:00:00 UTC; it may step."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment; it never goes back. For durations and deadlines."""


class SystemClock:
    """The clocks of the operating system."""

    def now(self) -> int:
        """Return the wall clock in microseconds since the epoch, UTC."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Return the monotonic clock in seconds."""
        return time.monotonic()
