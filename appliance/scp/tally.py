"""The numbers of this room: counted as things happen, published as they stand."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from appliance.model.records import Result


class Tally:
    """Counters since the room started. Thread-safe; holds nothing about patients."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0
        self._total = 0
        self._rejected: Counter[str] = Counter()
        self._stored: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._bytes = 0
        self._last_store: int | None = None

    def opened(self) -> None:
        """An association was admitted."""
        with self._lock:
            self._open += 1
            self._total += 1

    def closed(self) -> None:
        """An admitted association is gone."""
        with self._lock:
            self._open -= 1

    def rejected(self, kind: str) -> None:
        """A caller was turned away; `kind` is a short fixed word."""
        with self._lock:
            self._rejected[kind] += 1

    def stored(self, result: Result, size: int, at: int) -> None:
        """A C-STORE of `size` data set bytes was answered with success at `at` (us since 1970 UTC)."""
        with self._lock:
            self._stored[result.value] += 1
            self._bytes += size
            self._last_store = at

    def refused(self, name: str) -> None:
        """A C-STORE was answered with a failure; `name` is the status's name."""
        with self._lock:
            self._refused[name] += 1

    def snapshot(self) -> dict[str, Any]:
        """The numbers as plain JSON values."""
        with self._lock:
            return {
                "associations": {
                    "open": self._open,
                    "total": self._total,
                    "rejected": dict(self._rejected),
                },
                "stored": {result.value: self._stored[result.value] for result in Result},
                "refused": dict(self._refused),
                "bytes": self._bytes,
                "last_store": self._last_store,
            }
