"""What the uploads of a receiver tell a scrape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from appliance.archive.uploads import Uploads

UNFINISHED: Final = "dicom_edge_central_uploads_unfinished"
ANNOUNCED: Final = "dicom_edge_central_uploads_announced_bytes"
HELD: Final = "dicom_edge_central_uploads_held_bytes"
ENDED: Final = "dicom_edge_central_uploads_ended"


class UploadMetrics(Collector):
    """Counts uploads that ended, and shows the unfinished ones at every scrape."""

    def __init__(self, registry: CollectorRegistry, uploads: Uploads) -> None:
        """Register with `registry`."""
        self._uploads = uploads
        self._ended = Counter(ENDED, "Uploads that ended, by what became of them", ["result"], registry=registry)
        registry.register(self)

    def note(self, result: str) -> None:
        """Count one that ended: a Result's value, or refused."""
        self._ended.labels(result).inc()

    def describe(self) -> Iterator[Metric]:
        """Name no gauge in advance: they are counted when they are asked for."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        count = self._uploads.count()
        yield GaugeMetricFamily(UNFINISHED, "Uploads begun and not ended", value=count.unfinished)
        yield GaugeMetricFamily(ANNOUNCED, "Bytes these will have, by the quota", value=count.announced_bytes)
        yield GaugeMetricFamily(HELD, "Bytes of these that have come", value=count.held_bytes)
