"""Numbers for Prometheus: of the archive, the outbox, the rooms and this room's requests. No patient data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from appliance.archive.numbers import Numbers
from appliance.archive.outbox import Outbox
from appliance.lifecycle import read_rooms

PREFIX: Final = "dicom_edge_"
MICROSECONDS: Final = 1_000_000
BREAKER_STATES: Final = ("closed", "half-open", "open", "paused")

# name -> (help, labels); docs/monitoring-metrics.md has a row for each, a test sees to it.
GAUGES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "studies": ("Studies in the index.", ()),
    "series": ("Series in the index.", ()),
    "instances": ("Instances in the index.", ()),
    "quarantined": ("Objects in quarantine.", ()),
    "conflicts": ("Conflicts that nobody has settled.", ()),
    "last_store_seconds": ("When an object was last stored, seconds since 1970 UTC; 0 for never.", ()),
    "disk_free_bytes": ("Free bytes on the archive's file system.", ()),
    "disk_reserve_bytes": ("Free bytes below which new objects are refused.", ()),
    "outbox_pending": ("Deliveries that wait.", ("sink",)),
    "outbox_leased": ("Deliveries on their way.", ("sink",)),
    "outbox_dead": ("Deliveries given up: dead letters.", ("sink",)),
    "outbox_delivered": ("Deliveries ever made.", ("sink",)),
    "outbox_oldest_seconds": ("Age of the oldest delivery that waits, in seconds.", ("sink",)),
    "outbox_breaker": ("1 for the state the sink's breaker is in.", ("sink", "state")),
    "room_up": ("1 while the room's process lives and speaks.", ("room",)),
    "room_age_seconds": ("Seconds since the room last spoke.", ("room",)),
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
    """Where the gauges come from."""

    numbers: Numbers
    outbox: Outbox
    runtime: Path


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
        samples = {**self._archive(), **self._outbox(), **self._rooms()}
        for name, (text, labels) in GAUGES.items():
            family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
            for values, number in samples[name].items():
                family.add_metric(values, number)
            yield family

    def _archive(self) -> dict[str, dict[tuple[str, ...], float]]:
        counts, disk = self._sources.numbers.counts(), self._sources.numbers.disk()
        numbers: dict[str, float] = {
            "studies": counts.studies,
            "series": counts.series,
            "instances": counts.instances,
            "quarantined": counts.quarantined,
            "conflicts": counts.conflicts,
            "last_store_seconds": (counts.last_store or 0) / MICROSECONDS,
            "disk_free_bytes": disk.free_bytes,
            "disk_reserve_bytes": disk.reserve_bytes,
        }
        return {name: {(): number} for name, number in numbers.items()}

    def _outbox(self) -> dict[str, dict[tuple[str, ...], float]]:
        stats = self._sources.outbox.stats()
        named = ("pending", "leased", "dead", "delivered", "oldest_seconds")
        families: dict[str, dict[tuple[str, ...], float]] = {
            f"outbox_{name}": {(sink,): float(getattr(numbers, name)) for sink, numbers in stats.items()}
            for name in named
        }
        families["outbox_breaker"] = {
            (sink, state): float(numbers.breaker == state)
            for sink, numbers in stats.items()
            for state in BREAKER_STATES
        }
        return families

    def _rooms(self) -> dict[str, dict[tuple[str, ...], float]]:
        rooms = read_rooms(self._sources.runtime)
        return {
            "room_up": {(room,): float(facts["alive"]) for room, facts in rooms.items()},
            "room_age_seconds": {(room,): float(facts["age_seconds"]) for room, facts in rooms.items()},
        }
