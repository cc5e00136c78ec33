"""A small outbox in memory, with the rules that a worker depends on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from appliance.archive.outbox import Delivery, Lease, Outcome, Verdict
from appliance.clock import Clock


@dataclass
class FakeOutbox:
    """Rows of one sink by event id; `refusal` is raised by `settle` while it is set, `reason` holds the sink."""

    clock: Clock
    rows: dict[int, Delivery] = field(default_factory=dict)
    due: dict[int, int] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    breakers: list[tuple[str, str]] = field(default_factory=list)
    claims: list[int] = field(default_factory=list)
    refusal: Exception | None = None
    reason: str = ""
    commits: int = 0
    looks: int = 0

    def add(self, *deliveries: Delivery) -> None:
        """Announce events, as another process does."""
        for delivery in deliveries:
            self.rows[delivery.event_id] = delivery
            self.states[delivery.event_id] = "pending"
            self.due[delivery.event_id] = 0
        self.commits += 1

    def claim(
        self, sink: str, *, rows: int, bytes_: int, lease_seconds: float, avoid: Iterable[str] = (), turn: str = ""
    ) -> Lease | None:
        """Hand out due rows in order."""
        now = self.clock.now()
        passed, first = set(avoid), self._first(turn)
        due = [n for n, state in self.states.items() if state == "pending" and self.due[n] <= now]
        due = [n for n in due if self.rows[n].series_key not in passed or n == first][:rows]
        while len([n for n in due if n != first]) > 1 and sum(self._size(n) for n in due if n != first) > bytes_:
            due.remove(max(n for n in due if n != first))
        if not due:
            return None
        self.claims.append(len(due))
        self.states.update(dict.fromkeys(due, "leased"))
        return Lease("token", sink, tuple(self.rows[n] for n in due))

    def settle(self, lease: Lease, outcomes: Sequence[Outcome]) -> int:
        """Apply verdicts as the archive does."""
        if self.refusal is not None:
            raise self.refusal
        states = {Verdict.DELIVERED: "delivered", Verdict.DEAD: "dead"}
        assert sorted(o.event_id for o in outcomes) == sorted(d.event_id for d in lease.deliveries)
        for outcome in outcomes:
            number, row = outcome.event_id, self.rows[outcome.event_id]
            self.states[number] = states.get(outcome.verdict, "pending")
            self.reasons[number] = outcome.reason
            self.due[number] = outcome.not_before
            self.rows[number] = replace(row, attempts=row.attempts + (outcome.verdict is not Verdict.WAIT))
        return len(outcomes)

    def breaker(self, sink: str, state: str, reason: str) -> None:
        """Remember every standing in turn."""
        self.breakers.append((state, reason))

    def held(self, sink: str) -> str:
        """Return the operator's reason."""
        return self.reason

    def next_due(self, sink: str) -> int | None:
        """Return the earliest time of a pending row; `looks` counts how often there was nothing to hand out."""
        self.looks += 1
        return min((self.due[n] for n, state in self.states.items() if state == "pending"), default=None)

    def changed(self) -> int:
        """Return the number of commits of others."""
        return self.commits

    def newest(self) -> int:
        """Return the number of the newest event."""
        return max(self.states, default=0)

    def _first(self, series: str) -> int | None:
        mine = (n for n, state in self.states.items() if state == "pending" and self.rows[n].series_key == series)
        return next(mine, None)

    def _size(self, number: int) -> int:
        blob = self.rows[number].blob
        return blob.file_size if blob else 0
