"""The loader's numbers for Prometheus. Labels are topics, fixed words and names of destinations; no patient data."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from appliance.central.loader_numbers import LoaderNumbers
from appliance.central.standing import State
from appliance.errors import ConfigurationError

PREFIX: Final = "dicom_edge_loader_"
HOST: Final = "127.0.0.1"

# name -> (what it says, its labels)
GAUGES: Final = MappingProxyType({
    "lag": ("Records of a topic that are not committed, in the partitions this loader has.", ("topic",)),
    "partitions": ("Partitions this loader has.", ()),
    "paused": ("1 while somebody must mend something before records can go to this destination.", ("destination",)),
    "waiting": ("1 while this destination is away and tried again.", ("destination",)),
    "last_commit_seconds": ("When offsets were last committed, seconds since 1970 UTC; 0 for never.", ()),
})  # fmt: skip
COUNTERS: Final = MappingProxyType({
    "records_loaded": ("Records that a database has taken.", ("topic",)),
    "records_rejected": ("Records that became dead letters.", ("topic", "cause")),
    "batches": ("Batches whose offsets are committed.", ("topic",)),
    "batch_seconds": ("Seconds spent on batches.", ("topic",)),
    "batches_dropped": ("Batches in hand whose partition was taken.", ()),
    "records_missed": ("Offsets the broker had removed before this loader's group read them.", ("topic",)),
    "commits_failed": ("Commits of offsets that failed.", ()),
    "receipts": ("Receipts written.", ()),
})  # fmt: skip

Samples = dict[str, dict[tuple[str, ...], float]]


class LoaderCollector(Collector):
    """Reads the numbers when it is asked."""

    def __init__(self, numbers: LoaderNumbers) -> None:
        """Read `numbers` at each scrape."""
        self._numbers = numbers

    def describe(self) -> Iterator[Metric]:
        """Name no metric in advance."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        samples = self._samples()
        for name, (text, labels) in GAUGES.items():
            yield _filled(GaugeMetricFamily(PREFIX + name, text, labels=labels), samples[name])
        for name, (text, labels) in COUNTERS.items():
            yield _filled(CounterMetricFamily(PREFIX + name, text, labels=labels), samples[name])

    def _samples(self) -> Samples:
        numbers = self._numbers
        standings = {name: standing.state for name, standing in tuple(numbers.standings.items())}
        return {
            "lag": {(topic,): count for topic, count in numbers.lag.items()},
            "partitions": {(): numbers.partitions},
            "paused": {(name,): float(state is State.PAUSED) for name, state in standings.items()},
            "waiting": {(name,): float(state is State.WAITING) for name, state in standings.items()},
            "last_commit_seconds": {(): numbers.last_commit / 1_000_000},
            "records_loaded": {(topic,): count for topic, count in tuple(numbers.loaded.items())},
            "records_rejected": dict(tuple(numbers.rejected.items())),
            "batches": {(topic,): count for topic, count in tuple(numbers.batches.items())},
            "batch_seconds": {(topic,): seconds for topic, seconds in tuple(numbers.seconds.items())},
            "batches_dropped": {(): numbers.dropped},
            "records_missed": {(topic,): count for topic, count in tuple(numbers.missed.items())},
            "commits_failed": {(): numbers.failed_commits},
            "receipts": {(): numbers.receipts},
        }


def _filled(family: GaugeMetricFamily | CounterMetricFamily, samples: dict[tuple[str, ...], float]) -> Metric:
    for labels, number in samples.items():
        family.add_metric(labels, number)
    return family


class MetricsDoor:
    """Serves /metrics on the loopback until it is closed."""

    def __init__(self, port: int, numbers: LoaderNumbers) -> None:
        """Listen. Raises ConfigurationError when the port is taken."""
        registry = CollectorRegistry()
        registry.register(LoaderCollector(numbers))
        try:
            self._server, self._thread = start_http_server(port, HOST, registry)
        except OSError as error:
            message = f"{HOST}:{port} cannot be listened on: {error.strerror}"
            raise ConfigurationError(message, hint="set central.loader.metrics_port to a free port") from None

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        thread: threading.Thread = self._thread
        thread.join()
