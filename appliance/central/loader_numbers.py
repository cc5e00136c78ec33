"""What a loader has done since its process started. No patient data: topics, causes, sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from appliance.central.dead_letters import DeadLetter
from appliance.central.record import Slot
from appliance.central.standing import Standing, State
from appliance.logs import get_logger

log = get_logger(__name__)


@dataclass(slots=True)
class LoaderNumbers:
    """Counts by topic. Written by one thread; others may read a moment's mixture of old and new values.

    `missed` counts offsets that the broker had removed before anybody of the group read them; nothing here brings them
    back. `dropped` counts batches in hand whose partition went to another loader. `lag` is how many records of a topic
    are not committed yet, of the partitions this loader has.
    """

    loaded: Counter[str] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    batches: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    receipts: int = 0
    dropped: int = 0
    missed: Counter[str] = field(default_factory=Counter)
    failed_commits: int = 0
    last_commit: int = 0
    partitions: int = 0
    lag: dict[str, int] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)

    def took(self, topic: str, seconds: float) -> None:
        """Add time spent on batches of a topic."""
        self.seconds[topic] = self.seconds.get(topic, 0.0) + seconds

    def note_letters(self, letters: Iterable[DeadLetter]) -> None:
        """Count dead letters that are durable."""
        for letter in letters:
            self.rejected[letter.record.topic, letter.rejection.cause.value] += 1

    def note_missed(self, slot: Slot, count: int) -> None:
        """Count what is gone, and say so: somebody must have it sent again."""
        topic, partition = slot
        self.missed[topic] += count
        hint = "have the boxes send again (appliance outbox replay), and keep topics longer"
        log.error("records removed by the broker unread", topic=topic, partition=partition, count=count, hint=hint)

    @property
    def state(self) -> State:
        """The gravest standing of all destinations."""
        found = {standing.state for standing in tuple(self.standings.values())}
        return next((state for state in (State.PAUSED, State.WAITING) if state in found), State.WORKING)

    @property
    def reason(self) -> str:
        """Why it does not work, by the gravest standing; "" while it does."""
        state = self.state
        if state is State.WORKING:
            return ""
        return next((f"{name}: {s.reason}" for name, s in tuple(self.standings.items()) if s.state is state), "")

    def snapshot(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "standing": self.state.value,
            "reason": self.reason,
            "loaded": dict(self.loaded),
            "rejected": {f"{topic} {cause}": count for (topic, cause), count in tuple(self.rejected.items())},
            "batches": dict(self.batches),
            "batch_seconds": {topic: round(seconds, 3) for topic, seconds in tuple(self.seconds.items())},
            "receipts": self.receipts,
            "dropped": self.dropped,
            "missed": dict(self.missed),
            "failed_commits": self.failed_commits,
            "last_commit": self.last_commit,
            "partitions": self.partitions,
            "lag": dict(self.lag),
            "destinations": {
                name: {"state": standing.state.value, "reason": standing.reason}
                for name, standing in tuple(self.standings.items())
            },
        }
