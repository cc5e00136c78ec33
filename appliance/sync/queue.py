"""The outbox as a worker sees it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from appliance.archive.outbox import Lease, Outcome


class Queue(Protocol):
    """The part of archive.outbox.Outbox that a worker uses."""

    def claim(
        self, sink: str, *, rows: int, bytes_: int, lease_seconds: float, avoid: Iterable[str] = (), turn: str = ""
    ) -> Lease | None:
        """Hand out the next rows, or None; of the series in `avoid` only the first row of `turn`."""

    def settle(self, lease: Lease, outcomes: Sequence[Outcome]) -> int:
        """Record what became of the rows."""

    def breaker(self, sink: str, state: str, reason: str) -> None:
        """Record why the sink is or is not being served."""

    def held(self, sink: str) -> str:
        """Return the operator's reason for a pause, "" without one."""

    def next_due(self, sink: str) -> int | None:
        """Return when the earliest pending row may be tried."""

    def changed(self) -> int:
        """Return a number that differs once somebody else has committed."""

    def newest(self) -> int:
        """Return the number of the newest event there has been, 0 without one."""
