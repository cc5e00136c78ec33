"""The sync room: builds the sinks from the settings, gives each a worker, runs until told to stop."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

from appliance import lifecycle, logs
from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from appliance.clock import SystemClock
from appliance.config import Settings
from appliance.errors import ArchiveFailed, ConfigurationError
from appliance.sync.retry import RetryPolicy
from appliance.sync.sinks.registry import build
from appliance.sync.worker import Pace, Worker

ROOM = "sync"
PUBLISH_SECONDS = 1.0
EXIT_DRAINED = 0
# EX_SOFTWARE: the archive failed, and only a fresh process knows what is on disk.
EXIT_ARCHIVE_FAILED = 70


def main(settings: Settings) -> int:
    """Deliver until SIGTERM or SIGINT, or until the archive fails; returns the exit code.

    The caller sees to it that no other sync process serves this home. Raises ConfigurationError and
    SchemaMismatch before anything is delivered.
    """
    logs.configure(settings.log.level, settings.log.format, ROOM)
    stop = lifecycle.Stop()
    stop.install()
    archive = Archive.open(ArchiveSettings(**settings.archive_values()), ROOM, housekeeping=True)
    try:
        return _Room(settings, archive, stop).run()
    finally:
        archive.close()
        stop.close()


class _Room:
    """One run of the room."""

    def __init__(self, settings: Settings, archive: Archive, stop: lifecycle.Stop) -> None:
        self._archive = archive
        self._stop = stop
        self._failed = threading.Event()
        self._runtime: Path = settings.runtime_directory
        self._workers = _workers(settings, archive)

    def run(self) -> int:
        """Take back what a killed predecessor held, work until stopped, finish the batches in hand."""
        log, notices = logs.get_logger(__name__), lifecycle.Notices()
        self._take_over()
        threads = [threading.Thread(target=self._serve, args=(worker,)) for worker in self._workers]
        for thread in threads:
            thread.start()
        self._publish("ready")
        notices.ready()
        log.info("sync ready", sinks=[worker.name for worker in self._workers])
        while not self._stop.wait(PUBLISH_SECONDS):
            self._publish("ready")
            notices.watchdog()
        notices.stopping()
        self._publish("draining")
        for thread in threads:
            thread.join()
        lifecycle.withdraw(self._runtime, ROOM)
        log.info("sync stopped")
        return EXIT_ARCHIVE_FAILED if self._failed.is_set() else EXIT_DRAINED

    def _take_over(self) -> None:
        outbox = self._archive.outbox
        outbox.register([worker.name for worker in self._workers])
        for worker in self._workers:
            outbox.release_all(worker.name)

    def _serve(self, worker: Worker) -> None:
        try:
            worker.run(self._stop)
        except ArchiveFailed as error:
            logs.get_logger(__name__).error("archive failed", sink=worker.name, fault=error.message)
            self._failed.set()
        finally:
            if not self._stop.is_set():
                self._failed.set()  # a sink without its worker: a fresh process must take over
            self._stop.set()

    def _publish(self, state: str) -> None:
        sinks: dict[str, Any] = {worker.name: worker.numbers.snapshot() for worker in self._workers}
        try:
            lifecycle.publish(self._runtime, ROOM, {"state": state, "sinks": sinks})
        except OSError as error:
            logs.get_logger(__name__).warning("numbers not published", fault=type(error).__name__)


def _workers(settings: Settings, archive: Archive) -> tuple[Worker, ...]:
    sync = settings.sync
    pace = Pace(sync.batch_rows, sync.batch_bytes, sync.lease_seconds, sync.poll_seconds)
    policy = RetryPolicy(sync.unknown_error_attempts, sync.backoff_base, sync.backoff_cap, sync.breaker_threshold)
    clock = SystemClock()
    return tuple(
        Worker(
            name,
            build(name, entry.kind, _sink_path(settings, name), create=entry.path is None),
            archive.outbox, clock, pace, policy, random.random,
        )
        for name, entry in sync.sinks.items() if entry.active
    )  # fmt: skip


def _sink_path(settings: Settings, name: str) -> Path:
    """Return where a sink writes. Raises ConfigurationError for a place that the archive uses itself."""
    path, ours = settings.sink_path(name), ArchiveSettings(**settings.archive_values())
    taken = (ours.root, ours.spool, ours.quarantine, settings.runtime_directory)
    if path == settings.home or any(path.is_relative_to(place) for place in taken):
        message = f"sync.sinks.{name}: the archive uses {path} itself"
        raise ConfigurationError(message, hint=f"set sync.sinks.{name}.path to a directory of its own")
    return path
