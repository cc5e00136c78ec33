"""Counts of what the decoders do."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

PREFIX: Final = "dicom_edge_codec_"
SECONDS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class CodecMetrics:
    """The pool's observer: counters of tasks and of children ended."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the counters in `registry`."""
        self._tasks = Counter(
            f"{PREFIX}tasks", "Decoding tasks, by how they ended.", ("operation", "result"), registry=registry
        )
        self._seconds = Histogram(
            f"{PREFIX}seconds", "Seconds a decoding task took, its wait included.", ("operation",),
            registry=registry, buckets=SECONDS,
        )  # fmt: skip
        self._ended = Counter(
            f"{PREFIX}children_ended", "Decoder processes ended, by reason.", ("reason",), registry=registry
        )

    def task(self, operation: str, result: str, seconds: float) -> None:
        """Count one task."""
        self._tasks.labels(operation, result).inc()
        self._seconds.labels(operation).observe(seconds)

    def child_ended(self, reason: str) -> None:
        """Count one child."""
        self._ended.labels(reason).inc()
