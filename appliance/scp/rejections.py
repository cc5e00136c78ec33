"""Rejected callers on their way to the archive: counted at once, written by somebody who may wait."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Protocol

from appliance.errors import Busy, DiskFull
from appliance.logs import get_logger

# Distinct (AE title, address, reason) kept between two writings; a scan with random titles gets no further.
MAX_DISTINCT = 200


class CallerBook(Protocol):
    """The archive's list of rejected callers."""

    def reject(self, ae_title: str, address: str, reason: str, *, count: int = 1) -> None:
        """Remember `count` rejections; durable on return."""


class Rejections:
    """Collects rejections for `flush`. Thread-safe; `reject` never waits for the disk."""

    def __init__(self, book: CallerBook) -> None:
        self._book = book
        self._lock = threading.Lock()
        self._pending: Counter[tuple[str, str, str]] = Counter()

    def reject(self, ae_title: str, address: str, reason: str) -> None:
        """Count one rejection; beyond the bound, rejections are counted under an AE title of "*"."""
        key = (ae_title, address, reason)
        with self._lock:
            if key not in self._pending and len(self._pending) >= MAX_DISTINCT:
                key = ("*", "", reason)
            self._pending[key] += 1

    def flush(self) -> None:
        """Write what was counted; what the disk or a lock prevents now is written with the next flush.

        Raises ArchiveFailed.
        """
        with self._lock:
            pending, self._pending = self._pending, Counter()
        try:
            while pending:
                key = next(iter(pending))
                self._book.reject(*key, count=pending[key])
                del pending[key]
        except (Busy, DiskFull) as error:
            get_logger(__name__).warning("rejected callers not written yet", kind=type(error).__name__)
            with self._lock:
                self._pending.update(pending)
