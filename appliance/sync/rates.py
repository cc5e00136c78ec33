"""How many bytes a second a line may carry, by weekday and hour: a pure timetable and a pure token bucket."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

DAYS_OF_WEEK = 7
BURST_SECONDS = 1.0

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """A limit for some hours. Monday is day 0; `end` is not included.

    `start` > `end` runs past midnight and belongs to the day it begins on.
    """

    days: frozenset[int]
    start: int
    end: int
    bytes_per_second: int

    def holds(self, day: int, hour: int) -> bool:
        """Say whether this hour of this day is inside."""
        if self.start < self.end:
            return day in self.days and self.start <= hour < self.end
        begun_today, begun_yesterday = hour >= self.start, hour < self.end
        return (begun_today and day in self.days) or (begun_yesterday and (day - 1) % DAYS_OF_WEEK in self.days)


@dataclass(frozen=True, slots=True)
class Timetable:
    """The limits of a week in a time zone. The first window that holds counts; without one there is no limit."""

    windows: tuple[Window, ...] = ()
    zone: tzinfo = UTC

    def limit(self, now: int) -> int | None:
        """Return bytes per second at `now` (microseconds since 1970, UTC), None for no limit."""
        local = datetime.fromtimestamp(now / _MICROSECONDS, self.zone)
        fitting = (w.bytes_per_second for w in self.windows if w.holds(local.weekday(), local.hour))
        return next(fitting, None)

    def change(self, now: int) -> float:
        """Return seconds until the limit may be another: until the next full hour there."""
        local = datetime.fromtimestamp(now / _MICROSECONDS, self.zone)
        return (timedelta(hours=1) - timedelta(minutes=local.minute, seconds=local.second)).total_seconds()


@dataclass(frozen=True, slots=True)
class Bucket:
    """Bytes that may be sent at once: `level` as it was at `at` (seconds, monotonic); below 0 it is in debt.

    Sending is charged afterwards, so that an object larger than the bucket can go at all; the
    wait that follows keeps the average.
    """

    level: float = 0.0
    at: float = 0.0

    def filled(self, limit: int, now: float) -> Bucket:
        """Return the bucket at `now`: fuller by the limit, never above what a burst may be."""
        level = self.level + max(0.0, now - self.at) * limit
        return Bucket(min(level, limit * BURST_SECONDS), now)

    def charged(self, size: int) -> Bucket:
        """Return the bucket after `size` bytes were sent."""
        return Bucket(self.level - size, self.at)

    def wait(self, limit: int) -> float:
        """Return seconds until half a burst may be sent again; 0 when something may be sent now."""
        if self.level > 0:
            return 0.0
        return (limit * BURST_SECONDS / 2 - self.level) / limit
