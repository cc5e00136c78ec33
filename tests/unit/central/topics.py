"""Topics and a consumer group in memory: rebalances, refused commits and lost lines at will."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from appliance.central.dead_letters import DeadLetter
from appliance.central.record import Record, Slot
from appliance.central.targets import Unavailable
from tests.clocks import FakeClock


@dataclass
class Broker:
    """What survives every loader: the logs, and what is committed."""

    logs: dict[Slot, list[Record]] = field(default_factory=dict)
    committed: dict[Slot, int] = field(default_factory=dict)
    on_commit: Callable[[Slot, int], None] = lambda slot, offset: None

    def append(self, slot: Slot, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> Record:
        """Add a record at the end of a partition."""
        log = self.logs.setdefault(slot, [])
        # Offsets have gaps where transactions or compaction leave them.
        offset = log[-1].offset + 1 + len(log) % 3 if log else 0
        log.append(Record(slot[0], slot[1], offset, f"key-{offset}".encode(), value, tuple(headers)))
        return log[-1]

    @property
    def drained(self) -> bool:
        """Whether everything is committed."""
        return all(self.committed.get(slot, 0) > log[-1].offset for slot, log in self.logs.items() if log)


class FakeStream:
    """One member of the group, alone or not."""

    def __init__(self, broker: Broker, clock: FakeClock, most: int = 7) -> None:
        """Be given every partition at the first poll."""
        self.broker = broker
        self.held: set[Slot] = set()
        self.polls = 0
        self.closed = False
        self.before_poll: Callable[[], None] = lambda: None
        self.before_commit: Callable[[], None] = lambda: None
        self._clock = clock
        self._most = most
        self._positions: dict[Slot, int] = {}
        self._taken: set[Slot] = set()

    def rearrange(self, ours: Collection[Slot], *, lost: bool = False) -> None:
        """A rebalance: what stays ours keeps its position, anything new begins at what is committed.

        `lost`: the group had given us up; everything is taken, and what we get again may stand anywhere.
        """
        before = {} if lost else self._positions
        self._taken |= set(self._positions) - (set() if lost else set(ours))
        anywhere = self._positions if lost and random.random() < 0.5 else {}
        known = {**self.broker.committed, **anywhere, **before}
        self._positions = {slot: known.get(slot, 0) for slot in ours}
        self.held &= set(ours)

    def seek(self, slot: Slot, offset: int) -> None:
        """See stream.Stream."""
        if slot in self._positions:
            self._positions[slot] = offset

    def poll(self, seconds: float) -> list[Record]:
        """See stream.Stream; time passes only when nothing is there."""
        self.polls += 1
        try:
            self.before_poll()
        except BaseException:
            self._positions.clear()
            raise
        if not self._positions:
            self.rearrange(tuple(self.broker.logs))
        found: list[Record] = []
        for slot in sorted(self._positions, key=lambda _: random.random()):
            if slot in self.held:
                continue
            new = [r for r in self.broker.logs[slot] if r.offset >= self._positions[slot]][: self._most - len(found)]
            if new:
                self._positions[slot] = new[-1].offset + 1
                found += new
        if not found:
            self._clock.advance(seconds)
        return found

    def taken(self) -> Collection[Slot]:
        """See stream.Stream."""
        taken, self._taken = self._taken, set()
        return taken

    def hold(self, slots: Collection[Slot]) -> None:
        """See stream.Stream."""
        self.held = set(slots)

    def commit(self, slot: Slot, offset: int) -> None:
        """See stream.Stream."""
        if slot not in self._positions:
            raise Unavailable("the group is being rearranged")
        self.before_commit()
        self.broker.on_commit(slot, offset)
        self.broker.committed[slot] = offset

    def lag(self) -> Mapping[Slot, int]:
        """See stream.Stream."""
        return {
            slot: len([record for record in self.broker.logs[slot] if record.offset >= position])
            for slot, position in self._positions.items()
        }

    def close(self) -> None:
        """See stream.Stream."""
        self.closed = True


class MemoryGraves:
    """Dead letters in memory."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        """Begin empty."""
        self.letters: list[DeadLetter] = []
        self._before = before

    def bury(self, letters: Sequence[DeadLetter]) -> None:
        """See dead_letters.Graves."""
        self._before()
        self.letters += letters

    def close(self) -> None:
        """Nothing is open."""
