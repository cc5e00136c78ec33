"""Refusals: who was turned away at the receiver, in the log at once, in the list of callers within a second."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client import Counter as Metric

from appliance.archive.callers import Callers
from appliance.central.identity import Reason
from appliance.errors import ArchiveError
from appliance.logs import get_logger

METRIC: Final = "dicom_edge_central_refused"
GATHER_SECONDS: Final = 0.25
STOP_SECONDS: Final = 10.0
# Addresses are anybody's to choose: what does not fit is in the log and in the metric all the same.
MOST_KINDS: Final = 1_000
STRANGER: Final = "-"

log = get_logger(__name__)


class Refusals:
    """Takes refusals from any thread; a thread of its own writes them. `note` never waits for the disk."""

    def __init__(self, callers: Callers, registry: CollectorRegistry) -> None:
        """Nothing is written before `start`."""
        self._callers = callers
        self._metric = Metric(METRIC, "Requests of nobody who may send here, by reason.", ["reason"], registry=registry)
        for reason in Reason:
            self._metric.labels(reason.word)
        self._waiting: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)

    def note(self, reason: Reason, site: str, address: str) -> None:
        """Remember one; `site` is a name it claimed, "" for none."""
        log.warning("request refused", reason=reason.word, site=site, address=address)
        self._metric.labels(reason.word).inc()
        with self._lock:
            key = (site or STRANGER, address, f"centre: {reason.word}")
            if key in self._waiting or len(self._waiting) < MOST_KINDS:
                self._waiting[key] += 1

    def start(self) -> None:
        """Write from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is there and end. Safe to repeat."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def write(self) -> None:
        """Put what was gathered into the list of callers; what cannot be written now is in the log already."""
        with self._lock:
            waiting, self._waiting = self._waiting, Counter()
        try:
            for (site, address, reason), count in waiting.items():
                self._callers.reject(site, address, reason, count=count)
        except ArchiveError as error:
            log.warning("refusals not listed", reason=error.message)

    def _run(self) -> None:
        while not self._stop.wait(GATHER_SECONDS):
            self.write()
        self.write()
