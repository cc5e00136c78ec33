"""How many children a service has ended: totals that every answer tells, and every caller takes up once."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from appliance.codec.faults import Kind
from appliance.codec.wire import Garbled

REASONS: Final = frozenset({"recycled", "idle", "closed", "abandoned", *(kind.value for kind in Kind)})
# More than this between two answers is not believed.
MOST: Final = 1000


class Tally:
    """The observer of a service's pool. Safe to share between threads."""

    def __init__(self) -> None:
        """Nothing has ended yet; the name tells this service's life from the next one's."""
        self._name = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._ended: Counter[str] = Counter()

    def task(self, operation: str, result: str, seconds: float) -> None:
        """Leave tasks to who asked for them."""

    def child_ended(self, reason: str) -> None:
        """Count one child."""
        with self._lock:
            self._ended[reason] += 1

    @property
    def ended(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self._ended)

    def document(self) -> dict[str, Any]:
        """Return the totals so far."""
        with self._lock:
            return {"service": self._name, "ended": dict(self._ended)}


class TakenUp:
    """The totals of one service after the other, as a caller hears them, from several threads in any order."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        """Call `ended` with its reason once for each child."""
        self._ended = ended
        self._lock = threading.Lock()
        self._service = ""
        self._known: Counter[str] = Counter()

    def hear(self, document: Mapping[str, Any]) -> None:
        """Take up what is new in the totals. Raises Garbled."""
        service, totals = document.get("service"), document.get("ended")
        if not isinstance(service, str) or not isinstance(totals, dict) or not totals.keys() <= REASONS:
            raise Garbled
        if not all(isinstance(total, int) for total in totals.values()):
            raise Garbled
        with self._lock:
            if service != self._service:
                self._service, self._known = service, Counter()
            fresh = Counter(totals) - self._known
            self._known |= fresh + self._known
        for reason, count in fresh.items():
            for _ in range(min(count, MOST)):
                self._ended(reason)
