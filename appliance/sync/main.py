"""The sync room: builds the sinks from the settings, gives each a worker, runs until told to stop."""

from __future__ import annotations

import dataclasses
import os
import random
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from appliance import lifecycle, logs
from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from appliance.clock import SystemClock
from appliance.config import CommonEntry, DirectoryEntry, KafkaEntry, Settings, StowEntry, credential
from appliance.errors import ArchiveFailed, ConfigurationError
from appliance.liveness import Attentive, Liveness, Wish
from appliance.sync.keeping import Keeper
from appliance.sync.proving import Prover, ReadBack
from appliance.sync.rates import Timetable, Window
from appliance.sync.retry import RetryPolicy
from appliance.sync.sinks.registry import KINDS, DirectoryOptions, Options, Surroundings, build
from appliance.sync.sinks.stow_options import StowOptions
from appliance.sync.throttle import Throttle
from appliance.sync.worker import Pace, Worker

if TYPE_CHECKING:
    from appliance.sync.receipts import Poller

ROOM = "sync"
PUBLISH_SECONDS = 1.0
SECONDS_OF_HOUR = 3600.0
# A thread asks for the wish to stop between two pieces of work; one such piece takes less than this, and less than
# LEASES leases: within one of them a delivery is to be over.
PIECE_SECONDS = 300.0
LEASES = 3
# The slowest disk on which a directory sink copies, without asking, the largest object.
SLOWEST_DISK = 5_000_000
FILLING_SECONDS = 120.0
# A batch in hand is finished within one lease, as a rule; what is not comes again.
DRAIN_SECONDS = 60.0
# How the parts of the room are called where their signs of life are shown.
SINK = "sink "
RECEIPTS = "receipts "
RETENTION = "retention"
# Of one processor, for all sinks together, while instances arrive: the doors keep the rest.
SHARE = 0.05
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
    notices = lifecycle.Notices()
    try:
        notices.opening()
        archive = Archive.open(ArchiveSettings(**settings.archive_values()), ROOM, housekeeping=True)
        try:
            return _Room(settings, archive, stop, notices).run()
        finally:
            archive.close()
    finally:
        notices.close()
        stop.close()


class _Room:
    """One run of the room."""

    def __init__(self, settings: Settings, archive: Archive, stop: lifecycle.Stop, notices: lifecycle.Notices) -> None:
        self._archive = archive
        self._stop = stop
        self._notices = notices
        self._liveness = Liveness()
        self._failed = threading.Event()
        self._runtime: Path = settings.runtime_directory
        self._wishes = _wishes(settings, stop, self._liveness)
        self._workers = _workers(settings, archive, self._wishes)
        self._pollers = _pollers(settings, archive, self._wishes, self._workers)
        self._keeper = Keeper(archive.retention, settings.retention.interval_seconds)

    def run(self) -> int:
        """Take back what a killed predecessor held, work until stopped, finish the batches in hand."""
        log, notices = logs.get_logger(__name__), self._notices
        self._take_over(notices)
        threads = [threading.Thread(target=self._serve, args=one) for one in self._served()]
        for thread in threads:
            thread.start()
        self._archive.live_in(self._liveness)
        self._publish("ready")
        notices.status("delivering to " + (", ".join(worker.name for worker in self._workers) or "nobody"))
        notices.ready()
        log.info("sync ready", sinks=[worker.name for worker in self._workers])
        while not self._stop.wait(PUBLISH_SECONDS):
            self._publish("ready")
            self._liveness.feed(notices.watchdog)
        notices.draining(DRAIN_SECONDS)
        self._publish("draining")
        for thread in threads:
            thread.join()
        lifecycle.withdraw(self._runtime, ROOM)
        log.info("sync stopped")
        return EXIT_ARCHIVE_FAILED if self._failed.is_set() else EXIT_DRAINED

    def _take_over(self, notices: lifecycle.Notices) -> None:
        """Take back leases and bring the queues in line; a wish to stop interrupts that until the next start."""
        outbox = self._archive.outbox
        notices.status("bringing the queues of the sinks in line")
        for worker in self._workers:
            outbox.release_all(worker.name)

        def rest(seconds: float) -> bool:
            self._publish("filling")
            notices.extend(FILLING_SECONDS)  # in all it may take minutes, on a box that holds millions
            return self._stop.wait(seconds)

        if not outbox.register(self._archive.settings.sinks, rest):
            logs.get_logger(__name__).info("filling interrupted")

    def _served(self) -> list[tuple[Worker | Poller | Keeper, Wish]]:
        """Return who works, each with the wish that it will ask for; each has been heard of now."""
        found: list[tuple[Worker | Poller | Keeper, Wish]] = [
            *((worker, self._wishes[SINK + worker.name]) for worker in self._workers),
            *((poller, self._wishes[RECEIPTS + poller.name]) for poller in self._pollers),
            (self._keeper, self._wishes[RETENTION]),
        ]
        for _, wish in found:
            wish.is_set()
        return found

    def _serve(self, worker: Worker | Poller | Keeper, wish: Wish) -> None:
        try:
            worker.run(wish)
        except ArchiveFailed as error:
            logs.get_logger(__name__).error("archive failed", sink=worker.name, fault=error.message)
            self._failed.set()
        finally:
            if not self._stop.is_set():
                self._failed.set()  # a sink without its worker: a fresh process must take over
            self._stop.set()

    def _publish(self, state: str) -> None:
        sinks: dict[str, Any] = {worker.name: worker.numbers.snapshot() for worker in self._workers}
        numbers = {"state": state, "sinks": sinks, "retention": self._keeper.snapshot()}
        numbers |= self._liveness.snapshot()
        try:
            lifecycle.publish(self._runtime, ROOM, numbers)
        except OSError as error:
            logs.get_logger(__name__).warning("numbers not published", fault=type(error).__name__)


def _wishes(settings: Settings, stop: lifecycle.Stop, liveness: Liveness) -> dict[str, Wish]:
    """Return the wish to stop as each thread asks for it: its asking is its sign of life."""
    sinks = {name: entry for name, entry in settings.sync.sinks.items() if entry.active}
    seconds = {SINK + name: _longest_piece(settings, entry) for name, entry in sinks.items()}
    seconds |= {RECEIPTS + name: PIECE_SECONDS for name, entry in sinks.items() if _is_receipted(entry)}
    seconds[RETENTION] = PIECE_SECONDS
    return {name: Attentive(stop, liveness.part(name, longest)) for name, longest in seconds.items()}


def _longest_piece(settings: Settings, entry: CommonEntry) -> float:
    """Return how many seconds a worker may be at something without asking whether it is to stop."""
    longest = max(PIECE_SECONDS, LEASES * (entry.lease_seconds or settings.sync.lease_seconds))
    if isinstance(entry, DirectoryEntry):
        longest += settings.archive.max_object_bytes / SLOWEST_DISK
    return longest


def _is_receipted(entry: CommonEntry) -> bool:
    return getattr(entry, "verify", "") == "receipts"


def _workers(settings: Settings, archive: Archive, wishes: Mapping[str, Wish]) -> tuple[Worker, ...]:
    entries = settings.sync.sinks.items()
    return tuple(_worker(settings, archive, wishes[SINK + name], name) for name, entry in entries if entry.active)


def _worker(settings: Settings, archive: Archive, stop: Wish, name: str) -> Worker:
    sync, clock = settings.sync, SystemClock()
    entry = sync.sinks[name]
    throttle = Throttle(_timetable(settings, entry), clock, stop.wait)  # who wishes to stop is not kept waiting
    sink = build(options_of(settings, name), Surroundings(stop.is_set, throttle.pace))
    policy = RetryPolicy(sync.unknown_error_attempts, sync.backoff_base, sync.backoff_cap, sync.breaker_threshold)
    prover = None
    if isinstance(entry, StowEntry) and entry.verify == "readback":
        interval = entry.verify_interval_hours * SECONDS_OF_HOUR
        prover = Prover(name, cast(ReadBack, sink), archive.proofs, clock, interval)
    return Worker(name, sink, archive.outbox, clock, _pace(settings, entry), policy, random.random, throttle, prover)


def _pollers(
    settings: Settings, archive: Archive, wishes: Mapping[str, Wish], workers: tuple[Worker, ...]
) -> tuple[Poller, ...]:
    entries = settings.sync.sinks
    chosen = [worker for worker in workers if _is_receipted(entries[worker.name])]
    return tuple(_poller(settings, archive, wishes[RECEIPTS + worker.name], worker) for worker in chosen)


def _poller(settings: Settings, archive: Archive, stop: Wish, worker: Worker) -> Poller:
    from appliance.sync.polling import build_poller  # a box without such a sink never loads its client

    options = cast(StowOptions, options_of(settings, worker.name))
    return build_poller(worker.name, options, archive, settings.site.id, stop.is_set, worker.numbers)


def _pace(settings: Settings, entry: CommonEntry) -> Pace:
    sync = settings.sync
    return Pace(
        batch_rows=entry.batch_rows or sync.batch_rows,
        batch_bytes=entry.batch_bytes or sync.batch_bytes,
        lease_seconds=entry.lease_seconds or sync.lease_seconds,
        poll_seconds=sync.poll_seconds,
        share=SHARE / len([entry for entry in sync.sinks.values() if entry.active]),
    )


def _timetable(settings: Settings, entry: CommonEntry) -> Timetable:
    windows = (Window(rate.weekdays, *rate.span, rate.bytes_per_second) for rate in entry.rates)
    return Timetable(tuple(windows), ZoneInfo(settings.archive.timezone))


def options_of(settings: Settings, name: str, environ: Mapping[str, str] = os.environ) -> Options:
    """Return what the sink is told, its files as `environ` has them. Raises ConfigurationError."""
    entry = settings.sync.sinks[name]
    kind, _ = KINDS[entry.kind]
    if isinstance(entry, DirectoryEntry):
        floor = settings.archive.reserve_bytes // 2
        return DirectoryOptions(_sink_path(settings, name), entry.path is None, settings.home, floor)
    told = {field.name for field in dataclasses.fields(kind)}
    values = {key: _told(f"sync.sinks.{name}.{key}", value, environ) for key, value in entry if key in told}
    if isinstance(entry, KafkaEntry):
        values["source"] = settings.site.id
    return kind(**values)


def _told(key: str, value: Any, environ: Mapping[str, str]) -> Any:
    """Return a value as the sink gets it: the paths of certificates and secrets made absolute."""
    return credential(value, environ, key) if isinstance(value, Path) else value


def _sink_path(settings: Settings, name: str) -> Path:
    """Return where a sink writes. Raises ConfigurationError for a place that the archive uses itself."""
    path, ours = settings.sink_path(name), ArchiveSettings(**settings.archive_values())
    taken = (ours.root, ours.spool, ours.quarantine, settings.runtime_directory)
    if path == settings.home or any(path.is_relative_to(place) for place in taken):
        message = f"sync.sinks.{name}: the archive uses {path} itself"
        raise ConfigurationError(message, hint=f"set sync.sinks.{name}.path to a directory of its own")
    return path
