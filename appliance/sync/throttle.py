"""Keeps one sink to its timetable of rates."""

from __future__ import annotations

from collections.abc import Callable

from appliance.clock import Clock
from appliance.sync.rates import BURST_SECONDS, Bucket, Timetable

UNLIMITED = 1 << 62
LONGEST_WAIT = 60.0
# Within a transfer: the other side must not take a slow sender for a dead one.
LONGEST_PAUSE = 1.0


class Throttle:
    """Says how many bytes may be claimed now, and is told what was sent. For one thread."""

    def __init__(
        self, timetable: Timetable, clock: Clock, wait: Callable[[float], object] = lambda _seconds: None
    ) -> None:
        """Take the timetable, the clock that hours and seconds are taken from, and how to wait for seconds."""
        self._timetable = timetable
        self._clock = clock
        self._wait = wait
        self._paced = 0
        self._bucket = Bucket(at=clock.monotonic())
        self.limit: int | None = None
        self._begun = False

    def allowance(self) -> tuple[int, float]:
        """Return the bytes that may be sent now, or 0 and the seconds to wait."""
        self._paced = 0
        self.limit = self._timetable.limit(self._clock.now())
        if self.limit is None:
            self._begun = False
            return UNLIMITED, 0.0
        if self.limit == 0:
            return 0, min(self._timetable.change(self._clock.now()), LONGEST_WAIT)
        self._fill(self.limit)
        wait = self._bucket.wait(self.limit)
        return (0, min(wait, LONGEST_WAIT)) if wait else (max(1, int(self._bucket.level)), 0.0)

    def charge(self, size: int) -> None:
        """Note that `size` bytes were sent since `allowance`; those that were paced are counted already."""
        if self.limit:
            self._bucket = self._bucket.charged(max(0, size - self._paced))
        self._paced = 0

    def pace(self, size: int) -> None:
        """Count `size` bytes that are on their way, and wait as long as the limit asks for, within reason.

        What is not waited for here stays a debt.
        """
        if not self.limit:
            return
        self._paced += size
        self._bucket = self._bucket.charged(size).filled(self.limit, self._clock.monotonic())
        if self._bucket.level < 0:
            self._wait(min(-self._bucket.level / self.limit, LONGEST_PAUSE))

    def _fill(self, limit: int) -> None:
        now = self._clock.monotonic()
        if not self._begun:  # a limit that begins, begins with one burst and without old debts
            self._bucket, self._begun = Bucket(limit * BURST_SECONDS, now), True
        self._bucket = self._bucket.filled(limit, now)
