"""Who waits in the lobby, and who must go when it is full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from appliance.scp.waiting import Waiting


class Crowd:
    """The waiting connections in order of arrival, bounded in all and per address.

    A newcomer is always let in: in a flood the oldest connection of the address with the most of them
    makes room, so that a modality which asks at once is served however many silent ones there are.
    """

    def __init__(self, total: int, per_peer: int) -> None:
        self._total = total
        self._per_peer = per_peer
        self._waiting: dict[Waiting, None] = {}
        self._by_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(tuple(self._waiting))

    def add(self, newcomer: Waiting) -> Waiting | None:
        """Let `newcomer` in; who has to leave for it, already removed here, or None."""
        self._waiting[newcomer] = None
        self._by_address[newcomer.address] += 1
        if self._by_address[newcomer.address] > self._per_peer:
            return self._push_out(newcomer.address)
        if len(self._waiting) > self._total:
            return self._push_out(self._by_address.most_common(1)[0][0])
        return None

    def remove(self, waiting: Waiting) -> None:
        """Take one out. Safe to repeat."""
        if waiting not in self._waiting:
            return
        del self._waiting[waiting]
        self._by_address[waiting.address] -= 1
        if not self._by_address[waiting.address]:
            del self._by_address[waiting.address]

    def oldest(self) -> Waiting | None:
        """The one that waits longest."""
        return next(iter(self._waiting), None)

    def expired(self, now: float) -> list[Waiting]:
        """Those whose deadline has passed at `now` (monotonic seconds)."""
        return [waiting for waiting in self._waiting if waiting.deadline <= now]

    def next_deadline(self) -> float | None:
        """The earliest deadline, in monotonic seconds."""
        return min((waiting.deadline for waiting in self._waiting), default=None)

    def _push_out(self, address: str) -> Waiting:
        victim = next(waiting for waiting in self._waiting if waiting.address == address)
        self.remove(victim)
        return victim
