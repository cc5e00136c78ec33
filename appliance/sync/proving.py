"""Reading back: does the destination still hold identical bytes of what was delivered to it?"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from appliance.archive.outbox import Delivery
from appliance.clock import Clock
from appliance.logs import get_logger
from appliance.sync.sinks.contract import Misconfigured, Unreachable

CHUNK_ROWS = 1
PAUSE_SECONDS = 60.0

log = get_logger(__name__)


class Finding(StrEnum):
    """What reading one object back has shown."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    ABSENT = "absent"


class ReadBack(Protocol):
    """A destination that can be asked for what it holds."""

    def read_back(self, delivery: Delivery) -> Finding:
        """Fetch the object and compare its digest. Raises Unreachable, Misconfigured."""


class Proofs(Protocol):
    """The part of archive.proofs.Proofs that is used here."""

    def due(self, sink: str, rows: int) -> list[Delivery]:
        """Return delivered objects whose proof is due."""

    def count(self, sink: str) -> int:
        """Return how many want proof."""

    def urgent(self, sink: str) -> bool:
        """Say whether some are to be read back at once, outside of any round: they are the longest due then."""

    def prove(self, sink: str, event_id: int, detail: str) -> None:
        """Record the proof."""

    def postpone(self, sink: str, event_id: int, until: int) -> None:
        """Ask again at `until` (microseconds since epoch)."""

    def refute(self, sink: str, event_id: int, detail: str, *, resend: bool) -> None:
        """Record that there is none; `resend` delivers the object again."""


class Prover:
    """Goes through one sink's unproven objects, a round every `interval` seconds. For one thread.

    A round ends with what was unproven when it began. An obstacle interrupts it for a minute. What retention
    waits for does not wait for a round.
    """

    def __init__(self, sink: str, destination: ReadBack, proofs: Proofs, clock: Clock, interval: float) -> None:
        """The first round begins at once: how long ago the last one was is not remembered."""
        self._sink = sink
        self._destination = destination
        self._proofs = proofs
        self._clock = clock
        self._interval = interval
        self._next_round = clock.monotonic()
        self._not_before = clock.monotonic()
        self._left = 0

    def step(self) -> int:
        """Read one object back, if it is time; return its size in bytes, 0 when nothing was done."""
        now = self._clock.monotonic()
        if now < self._not_before or not self._is_round(now):
            return 0
        rows = self._proofs.due(self._sink, CHUNK_ROWS)
        if not rows:
            self._left = 0
            return 0
        self._left -= 1
        try:
            return self._examine(rows[0])
        except (Unreachable, Misconfigured) as obstacle:
            log.warning("not read back", sink=self._sink, fault=obstacle.message)
            self._left += 1
            # It goes to the end of the order: it may be this one object that cannot be read.
            self._proofs.postpone(self._sink, rows[0].event_id, self._clock.now())
            self._not_before = now + max(PAUSE_SECONDS, getattr(obstacle, "retry_after", 0.0))
            return 0

    def _is_round(self, now: float) -> bool:
        if self._left <= 0 and now >= self._next_round:
            self._left = self._proofs.count(self._sink)
            self._next_round = now + self._interval
        return self._left > 0 or self._proofs.urgent(self._sink)

    def _examine(self, row: Delivery) -> int:
        if row.blob is None:
            self._proofs.refute(self._sink, row.event_id, "the archive no longer holds this object", resend=False)
            return 1
        finding = self._destination.read_back(row)
        if finding is Finding.IDENTICAL:
            self._proofs.prove(self._sink, row.event_id, f"read back, sha256 {row.blob.digest}")
        else:
            # What is missing is sent again. What the store has changed it would change again.
            log.warning("not identical", sink=self._sink, finding=finding.value, trace_id=row.trace_id)
            self._proofs.refute(self._sink, row.event_id, finding.value, resend=finding is Finding.ABSENT)
        return row.blob.file_size
