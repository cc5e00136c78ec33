"""Proofs in memory, and a destination that finds what it is told to find."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.archive.outbox import Delivery
from appliance.sync.proving import Finding


@dataclass
class Destination:
    """Answers every question alike; `outage` is raised instead while it is set."""

    finding: Finding = Finding.IDENTICAL
    outage: Exception | None = None
    asked: int = 0

    def read_back(self, delivery: Delivery) -> Finding:
        """Answer."""
        self.asked += 1
        if self.outage is not None:
            raise self.outage
        return self.finding


@dataclass
class FakeProofs:
    """Rows whose proof is due now."""

    rows: list[Delivery] = field(default_factory=list)
    proven: list[int] = field(default_factory=list)
    refuted: list[tuple[int, str, bool]] = field(default_factory=list)
    hurry: bool = False

    def due(self, sink: str, rows: int) -> list[Delivery]:
        """Return the first ones."""
        return self.rows[:rows]

    def urgent(self, sink: str) -> bool:
        """Nothing is in a hurry, unless told."""
        return self.hurry

    def count(self, sink: str) -> int:
        """Count them."""
        return len(self.rows)

    def prove(self, sink: str, event_id: int, detail: str) -> None:
        """Take it from the rows."""
        self.proven.append(event_id)
        self.rows = [row for row in self.rows if row.event_id != event_id]

    def postpone(self, sink: str, event_id: int, until: int) -> None:
        """Put it behind the others."""
        self.rows.sort(key=lambda row: row.event_id == event_id)

    def refute(self, sink: str, event_id: int, detail: str, *, resend: bool) -> None:
        """Take it from the rows."""
        self.refuted.append((event_id, detail, resend))
        self.rows = [row for row in self.rows if row.event_id != event_id]
