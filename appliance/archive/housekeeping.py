"""Housekeeping: one process at a time checkpoints the database and tends the ballast.

Any room may do it; a lock decides which. When that process dies the lock is free at once and
another room takes over, so the write-ahead log never grows unbounded.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

from appliance.archive.database import Database
from appliance.archive.reserve import Reserve
from appliance.archive.settings import ArchiveSettings
from appliance.errors import ArchiveError
from appliance.logs import get_logger

INTERVAL_SECONDS = 1.0
CHECKPOINT_BYTES = 4 << 20
TRUNCATE_BYTES = 64 << 20
CRITICAL_BYTES = 16 << 20

log = get_logger(__name__)


class Housekeeper:
    """A thread that works while it holds the lock and otherwise waits for it."""

    def __init__(self, settings: ArchiveSettings, database: Database) -> None:
        """Take the archive's files; nothing runs before `start`."""
        self._settings = settings
        self._database = database
        self._reserve = Reserve(settings.home, settings.reserve_bytes)
        self._stop = threading.Event()
        self._began: float | None = None
        self._thread = threading.Thread(target=self._run, name="housekeeper", daemon=True)

    def start(self) -> None:
        """Begin competing for the lock."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and give up the lock."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def began(self) -> float | None:
        """Return when the round under way began, by time.monotonic; None while there is none."""
        return self._began

    def tend(self) -> None:
        """Do one round: checkpoint a long log, keep or give up the ballast."""
        wal = self._settings.database.with_name(self._settings.database.name + "-wal")
        size = wal.stat().st_size if wal.exists() else 0
        if size > CHECKPOINT_BYTES:
            self._database.checkpoint(truncate=size > TRUNCATE_BYTES)
        self._tend_ballast()

    def _tend_ballast(self) -> None:
        ballast, size = self._settings.ballast, self._settings.ballast_bytes
        free = self._reserve.disk().free_bytes
        if ballast.exists():
            if free < CRITICAL_BYTES:
                ballast.unlink()
                log.warning("ballast given up", free_bytes=free)
        elif size and free > self._settings.reserve_bytes + 2 * size:
            allocate(ballast, size)

    def _run(self) -> None:
        descriptor = -1
        try:
            while not self._stop.wait(INTERVAL_SECONDS):
                if descriptor < 0:
                    descriptor = _try_lock(self._settings.housekeeping_lock)
                if descriptor >= 0:
                    self._tend_safely()
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _tend_safely(self) -> None:
        self._began = time.monotonic()
        try:
            self.tend()
        except (ArchiveError, OSError) as error:
            log.warning("housekeeping failed, trying again", error=type(error).__name__)
        finally:
            self._began = None


def allocate(path: os.PathLike[str], size: int) -> None:
    """Reserve `size` bytes on disk under `path`, or leave nothing behind."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def _try_lock(path: Path) -> int:
    """Return a descriptor that holds the lock, or -1 while another process does or it cannot be opened."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        log.warning("housekeeping waits for its lock", error=type(error).__name__)
        return -1
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return -1
    return descriptor
