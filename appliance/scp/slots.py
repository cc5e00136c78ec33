"""How many associations may stand at once, in all and per address."""

from __future__ import annotations

import threading
from collections import Counter


class Slots:
    """Counts associations. Thread-safe; never blocks for long."""

    def __init__(self, total: int, per_peer: int) -> None:
        self._total = total
        self._per_peer = per_peer
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, address: str) -> bool:
        """Take a slot for `address`; False when it or the door has no more to give."""
        with self._lock:
            if self._taken.total() >= self._total or self._taken[address] >= self._per_peer:
                return False
            self._taken[address] += 1
            return True

    def give_back(self, address: str) -> None:
        """Return a slot taken before."""
        with self._lock:
            self._taken[address] -= 1
            if self._taken[address] <= 0:
                del self._taken[address]

    @property
    def taken(self) -> int:
        """Slots in use."""
        with self._lock:
            return self._taken.total()
