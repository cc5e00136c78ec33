"""What one sink's worker has done since the process started, for the runtime directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from appliance.archive.outbox import Outcome, Verdict


@dataclass(slots=True)
class SinkNumbers:
    """Counts of rows by verdict; `last_delivery` is in microseconds since the epoch, 0 for never.

    `held` is the operator's reason for a pause; `limit` the bytes per second allowed now, None for any.
    Written by one thread; others may read a moment's mixture of old and new values.
    """

    delivered: int = 0
    waited: int = 0
    failed: int = 0
    dead: int = 0
    batches: int = 0
    last_delivery: int = 0
    breaker: str = "closed"
    reason: str = ""
    held: str = ""
    limit: int | None = None

    def count(self, outcomes: Sequence[Outcome], now: int) -> None:
        """Add a settled batch."""
        verdicts = [outcome.verdict for outcome in outcomes]
        self.batches += 1
        self.delivered += verdicts.count(Verdict.DELIVERED)
        self.waited += verdicts.count(Verdict.WAIT)
        self.failed += verdicts.count(Verdict.FAILED)
        self.dead += verdicts.count(Verdict.DEAD)
        if Verdict.DELIVERED in verdicts:
            self.last_delivery = now

    def snapshot(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)
