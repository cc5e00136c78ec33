"""The receiver's metrics. No patient data; labels are fixed words, names of routes and of sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from appliance.archive.room import Archive

PREFIX: Final = "dicom_edge_"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PATCH", "OPTIONS"})

# name -> (what it says, its labels)
GAUGES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "central_receipts": ("Receipts ever issued, repeats included.", ()),
    "central_receipts_imported": ("How far the loader's receipts have been taken over, by their number.", ()),
    "central_receipts_import_up": ("1 while the loader's receipts can be read; absent without PostgreSQL.", ()),
    "disk_free_bytes": ("Free bytes on the archive's file system.", ()),
    "disk_reserve_bytes": ("Free bytes below which new objects are refused.", ()),
    "outbox_pending": ("Deliveries that wait.", ("sink",)),
    "outbox_dead": ("Deliveries given up: dead letters.", ("sink",)),
    "outbox_oldest_seconds": ("Age of the oldest delivery that waits, in seconds.", ("sink",)),
}

Samples = dict[str, dict[tuple[str, ...], float]]


class ReceiverMetrics:
    """Counts requests by route and status; routes are templates, never paths."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the counters in `registry`."""
        self.registry = registry
        self._requests = Counter(
            f"{PREFIX}central_requests", "Requests answered.", ("route", "method", "status"), registry=registry
        )
        self._seconds = Histogram(
            f"{PREFIX}central_seconds", "Seconds until an answer's first byte.", ("route",), registry=registry
        )

    def note(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._requests.labels(route, method if method in METHODS else "other", str(status)).inc()
        self._seconds.labels(route).observe(seconds)


class ReceiverCollector(Collector):
    """Reads every gauge when it is asked for."""

    def __init__(self, archive: Archive, source: str, import_up: Callable[[], bool | None]) -> None:
        """Read `archive` at each scrape; `source` is the list of receipts that is taken over."""
        self._archive = archive
        self._source = source
        self._import_up = import_up

    def describe(self) -> Iterator[Metric]:
        """Name no metric in advance: registering must not touch the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield every family; each has its samples, by label values."""
        samples = self._samples()
        for name, (text, labels) in GAUGES.items():
            family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
            for values, number in samples[name].items():
                family.add_metric(values, number)
            yield family

    def _samples(self) -> Samples:
        archive, up = self._archive, self._import_up()
        disk, stats = archive.numbers.disk(), archive.outbox.stats()
        samples: Samples = {
            "central_receipts": {(): archive.receipts.count()},
            "central_receipts_imported": {(): archive.receipts.cursor(self._source)},
            "central_receipts_import_up": {} if up is None else {(): float(up)},
            "disk_free_bytes": {(): disk.free_bytes},
            "disk_reserve_bytes": {(): disk.reserve_bytes},
        }
        for name in ("pending", "dead", "oldest_seconds"):
            active = {sink: numbers for sink, numbers in stats.items() if numbers.active}
            samples[f"outbox_{name}"] = {(sink,): float(getattr(numbers, name)) for sink, numbers in active.items()}
        return samples
