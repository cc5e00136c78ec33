"""How a worker makes way for the doors: what arrives goes before what leaves."""

from __future__ import annotations

import time
from collections.abc import Callable

# A batch that took a processor this long is too unlike the others to be a measure.
LONGEST_REST_SECONDS = 2.0


class Yielding:
    """Says how long to rest after a piece of work, so that it takes no more than `share` of a processor.

    Only while new events appear: then a door is storing, and every transaction of the worker is one
    it waits behind. What counts is the processor time of the calling thread; a sink that waits for
    its network disturbs nobody and is not slowed down.
    """

    def __init__(self, newest: Callable[[], int], share: float, spent: Callable[[], float] = time.thread_time) -> None:
        """`newest` returns the number of the newest event, `spent` the processor seconds used so far."""
        self._newest = newest
        self._factor = 1 / share - 1
        self._spent = spent
        self._seen: int | None = None
        self._began = 0.0

    def begin(self) -> None:
        """Note that a piece of work begins."""
        self._began = self._spent()

    def rest(self) -> float:
        """Return the seconds to rest after the work that began last; 0 while nothing arrives."""
        newest, seen = self._newest(), self._seen
        self._seen = newest
        if seen is None or newest == seen:
            return 0.0
        return min(self._factor * (self._spent() - self._began), LONGEST_REST_SECONDS)
