"""Numbers for Prometheus: of the archive, the outbox, the rooms and this room's requests. No patient data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from appliance.archive.backup_record import age_seconds, read_record
from appliance.archive.confirmations import Confirmations
from appliance.archive.intake import evictable_bytes, hours_left
from appliance.archive.numbers import Numbers
from appliance.archive.outbox import Outbox
from appliance.certificates import days_left
from appliance.clock import Clock
from appliance.lifecycle import ESSENTIAL_ROOMS, MONITOR, read_rooms

PREFIX: Final = "dicom_edge_"
MICROSECONDS: Final = 1_000_000
BREAKER_STATES: Final = ("closed", "half-open", "open", "paused")

# name -> (help, labels); docs/monitoring.md has a row for each, a test sees to it.
GAUGES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "studies": ("Studies in the index.", ()),
    "series": ("Series in the index.", ()),
    "instances": ("Instances in the index.", ()),
    "instances_evicted": ("Instances whose bytes are at the centre and not here.", ()),
    "instances_lost": ("Instances whose bytes are missing here and were not evicted.", ()),
    "quarantined": ("Objects in quarantine.", ()),
    "conflicts": ("Conflicts that nobody has settled.", ()),
    "last_store_seconds": ("When an object was last stored, seconds since 1970 UTC; 0 for never.", ()),
    "disk_free_bytes": ("Free bytes on the archive's file system.", ()),
    "disk_reserve_bytes": ("Free bytes below which new objects are refused.", ()),
    "disk_evictable_bytes": ("Bytes that retention could let go; 0 while the sync room is down.", ()),
    "disk_outage_hours": ("Hours the disk lasts at the present intake without deliveries; +Inf without intake.", ()),
    "intake_bytes_per_second": ("Bytes stored per second in the last hour or day, whichever is more.", ()),
    "outbox_pending": ("Deliveries that wait.", ("sink",)),
    "outbox_leased": ("Deliveries on their way.", ("sink",)),
    "outbox_dead": ("Deliveries given up: dead letters.", ("sink",)),
    "outbox_delivered": ("Deliveries ever made.", ("sink",)),
    "outbox_oldest_seconds": ("Age of the oldest delivery that waits, in seconds.", ("sink",)),
    "outbox_breaker": ("1 for the state the sink's breaker is in.", ("sink", "state")),
    "outbox_held": ("1 while an operator holds the sink.", ("sink",)),
    "outbox_required": ("1 for a sink whose proof eviction has to wait for.", ("sink",)),
    "outbox_unproven": ("Delivered objects that are still to be read back.", ("sink",)),
    "custody_bytes_confirmed": ("Contents whose bytes the sink has ever proven.", ("sink",)),
    "custody_metadata_confirmed": ("Contents whose record is in the centre's databases, by its word.", ("sink",)),
    "custody_oldest_unproven_seconds": ("Age of the oldest delivered object without proof, in seconds.", ("sink",)),
    "custody_receipts_age_seconds": ("Seconds since receipts were last asked for.", ("sink",)),
    "custody_receipts_refused": ("1 while receipts come that the centre has not signed for this box.", ("sink",)),
    "custody_deleted": ("Contents that somebody has deleted on purpose.", ()),
    "room_up": ("1 while the room's process lives and speaks.", ("room",)),
    "room_age_seconds": ("Seconds since the room last spoke.", ("room",)),
    "certificate_days": ("Days until the certificate file under this key ends; below 0 after.", ("key",)),
    "certificate_readable": ("1 while the certificate file under this key can be read.", ("key",)),
    "backup_age_seconds": ("Age of the newest good backup; +Inf for none, absent without backup.directory.", ()),
    "mqtt_connected": ("1 while the monitor has its broker; absent without a monitor.", ()),
}


class RequestMetrics:
    """Counts of this room's requests, by route and status; routes are templates, never paths."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the counters in `registry`."""
        self._registry = registry
        self._requests = Counter(
            f"{PREFIX}http_requests", "Requests answered.", ("route", "method", "status"), registry=registry
        )
        self._seconds = Histogram(
            f"{PREFIX}http_seconds", "Seconds until an answer's first byte.", ("route",), registry=registry
        )

    @property
    def registry(self) -> CollectorRegistry:
        """The registry that /metrics shows."""
        return self._registry

    def note(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answer."""
        known = method if method in ("GET", "HEAD", "POST", "OPTIONS") else "other"
        self._requests.labels(route, known, str(status)).inc()
        self._seconds.labels(route).observe(seconds)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the gauges come from; `certificates` are files by the key they are configured under.

    `backed_up` is the home that backups are to be taken of; None where none are configured.
    """

    numbers: Numbers
    outbox: Outbox
    confirmations: Confirmations
    runtime: Path
    certificates: Mapping[str, Path]
    clock: Clock
    backed_up: Path | None = None


class ApplianceCollector(Collector):
    """Reads every gauge when it is asked for."""

    def __init__(self, sources: Sources) -> None:
        """Read `sources` at each scrape."""
        self._sources = sources

    def describe(self) -> Iterator[Metric]:
        """Name no metric in advance: registering must not touch the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield every family; each has its samples, by label values."""
        samples = {**self._archive(), **self._outbox(), **self._custody(), **self._rooms(), **self._certificates()}
        samples["backup_age_seconds"] = self._backup()
        for name, (text, labels) in GAUGES.items():
            family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
            for values, number in samples[name].items():
                family.add_metric(values, number)
            yield family

    def _archive(self) -> dict[str, dict[tuple[str, ...], float]]:
        counts, disk = self._sources.numbers.counts(), self._sources.numbers.disk()
        rate = self._sources.numbers.intake(self._sources.clock.now()).bytes_per_second
        evictable = evictable_bytes(read_rooms(self._sources.runtime))
        hours = hours_left(disk, rate, evictable)
        numbers: dict[str, float] = {
            "studies": counts.studies,
            "series": counts.series,
            "instances": counts.instances,
            "instances_evicted": counts.evicted,
            "instances_lost": counts.not_held - counts.evicted,
            "quarantined": counts.quarantined,
            "conflicts": counts.conflicts,
            "last_store_seconds": (counts.last_store or 0) / MICROSECONDS,
            "disk_free_bytes": disk.free_bytes,
            "disk_reserve_bytes": disk.reserve_bytes,
            "disk_evictable_bytes": evictable,
            "disk_outage_hours": math.inf if hours is None else hours,
            "intake_bytes_per_second": rate,
        }
        return {name: {(): number} for name, number in numbers.items()}

    def _outbox(self) -> dict[str, dict[tuple[str, ...], float]]:
        stats = {sink: numbers for sink, numbers in self._sources.outbox.stats().items() if numbers.active}
        named = ("pending", "leased", "dead", "delivered", "oldest_seconds", "required")
        families: dict[str, dict[tuple[str, ...], float]] = {
            f"outbox_{name}": {(sink,): float(getattr(numbers, name)) for sink, numbers in stats.items()}
            for name in named
        }
        families["outbox_held"] = {(sink,): float(bool(numbers.held)) for sink, numbers in stats.items()}
        families["outbox_breaker"] = {
            (sink, state): float(numbers.breaker == state)
            for sink, numbers in stats.items()
            for state in BREAKER_STATES
        }
        return families

    def _custody(self) -> dict[str, dict[tuple[str, ...], float]]:
        now, proofs = self._sources.clock.now(), self._sources.confirmations.counts()
        cursors = {sink: found.receipts for sink, found in proofs.items() if found.receipts is not None}
        return {
            "outbox_unproven": {(sink,): float(found.unproven) for sink, found in proofs.items()},
            "custody_bytes_confirmed": {(sink,): float(found.bytes) for sink, found in proofs.items()},
            "custody_metadata_confirmed": {(sink,): float(found.metadata) for sink, found in proofs.items()},
            "custody_oldest_unproven_seconds": {
                (sink,): _age(found.oldest_unproven, now) for sink, found in proofs.items()
            },
            "custody_receipts_age_seconds": {(sink,): _age(found.checked_at, now) for sink, found in cursors.items()},
            "custody_receipts_refused": {(sink,): float(found.refused) for sink, found in cursors.items()},
            "custody_deleted": {(): float(self._sources.confirmations.deleted())},
        }

    def _rooms(self) -> dict[str, dict[tuple[str, ...], float]]:
        found = read_rooms(self._sources.runtime)
        silent = dict.fromkeys(ESSENTIAL_ROOMS, 0.0)  # a room that is not there has to be seen, too
        return {
            "room_up": {(room,): up for room, up in {**silent, **_alive(found)}.items()},
            "room_age_seconds": {(room,): float(facts["age_seconds"]) for room, facts in found.items()},
            "mqtt_connected": _connected(found.get(MONITOR)),
        }

    def _backup(self) -> dict[tuple[str, ...], float]:
        if self._sources.backed_up is None:
            return {}
        age = age_seconds(read_record(self._sources.backed_up), self._sources.clock.now())
        return {(): math.inf if age is None else age}

    def _certificates(self) -> dict[str, dict[tuple[str, ...], float]]:
        left = days_left(self._sources.certificates, self._sources.clock.now())
        return {
            "certificate_days": {(key,): days for key, days in left.items() if days is not None},
            "certificate_readable": {(key,): float(days is not None) for key, days in left.items()},
        }


def _age(since: int | None, now: int) -> float:
    return 0.0 if since is None else max(0.0, (now - since) / MICROSECONDS)


def _alive(rooms: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    return {room: float(facts["alive"]) for room, facts in rooms.items()}


def _connected(monitor: Mapping[str, Any] | None) -> dict[tuple[str, ...], float]:
    return {} if monitor is None else {(): float(monitor["alive"] and monitor.get("connected", False))}
