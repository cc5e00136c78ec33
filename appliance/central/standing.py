"""How one destination of the loader stands: when it may be tried again, and why it is not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from appliance.central.targets import Misdirected, Unavailable

DOUBLINGS = 32


class State(StrEnum):
    """`waiting` mends itself; `paused` needs somebody."""

    WORKING = "working"
    WAITING = "waiting"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long is waited after failures in a row: between 0 and min(cap, base * 2^(failures - 1)) seconds."""

    base: float = 1.0
    cap: float = 60.0

    def delay(self, failures: int, random: float) -> float:
        """Return seconds to wait after `failures` (1 or more); `random` is in [0, 1)."""
        return random * min(self.cap, self.base * 2.0 ** min(max(failures - 1, 0), DOUBLINGS))


@dataclass(slots=True)
class Standing:
    """One destination's standing. `not_before` is on the monotonic clock. Written by one thread."""

    state: State = State.WORKING
    failures: int = 0
    not_before: float = 0.0
    reason: str = ""

    def due(self, now: float) -> bool:
        """Say whether it may be tried at `now`."""
        return now >= self.not_before

    def failed(self, fault: Unavailable | Misdirected, now: float, backoff: Backoff, random: float) -> bool:
        """Note a failure; return whether the state or its reason is another one than before."""
        state = State.PAUSED if isinstance(fault, Misdirected) else State.WAITING
        changed = (state, fault.message) != (self.state, self.reason)
        wish = fault.retry_after if isinstance(fault, Unavailable) else 0.0
        self.failures += 1
        self.state, self.reason = state, fault.message
        self.not_before = now + max(wish, backoff.delay(self.failures, random))
        return changed

    def worked(self) -> bool:
        """Note a success; return whether it had not worked before."""
        changed = self.state is not State.WORKING
        self.state, self.failures, self.not_before, self.reason = State.WORKING, 0, 0.0, ""
        return changed
