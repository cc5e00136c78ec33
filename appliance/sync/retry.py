"""When to try again: full jitter, and one circuit breaker per sink as a pure state machine.

    closed ---- `threshold` connectivity failures in a row ----> open
    open, paused ---- the waiting time is over ----> half-open (one row)
    half-open ---- a row was delivered ----> closed
    half-open ---- connectivity failure ----> open
    any ---- the destination needs an administrator ----> paused

Nothing here reads a clock, draws a random number or touches a database.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

DOUBLINGS = 32


class State(StrEnum):
    """How a sink is served at present."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    PAUSED = "paused"


WAITING = frozenset({State.OPEN, State.PAUSED})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The configured limits. Times are seconds; `attempts` is how often an unknown error may hit one row."""

    attempts: int = 10
    base: float = 1.0
    cap: float = 60.0
    threshold: int = 5


@dataclass(frozen=True, slots=True)
class Breaker:
    """One sink's standing. `failures` counts in a row.

    Nothing is tried before `not_before`, in seconds of the monotonic clock: a wall clock that is
    set back must not keep a sink shut.
    """

    state: State = State.CLOSED
    failures: int = 0
    not_before: float = 0.0
    reason: str = ""


def full_jitter(failures: int, policy: RetryPolicy, random: float) -> float:
    """Return seconds to wait after `failures` failures (1 or more); `random` is in [0, 1).

    U(0, min(cap, base * 2^(failures - 1))): clients that failed together do not return together.
    """
    doublings = min(max(failures - 1, 0), DOUBLINGS)
    return random * min(policy.cap, policy.base * 2.0**doublings)


def rows_allowed(breaker: Breaker, now: float, batch_rows: int) -> int:
    """Return how many rows may be claimed now: none while waiting, one as a probe, else a batch."""
    if now < breaker.not_before:
        return 0
    return batch_rows if breaker.state is State.CLOSED else 1


def due(breaker: Breaker, now: float) -> Breaker:
    """Return the breaker as it stands when something is about to be tried at `now`."""
    if breaker.state in WAITING and now >= breaker.not_before:
        return replace(breaker, state=State.HALF_OPEN)
    return breaker


def reached() -> Breaker:
    """Return the breaker after a row was delivered: closed, nothing counted."""
    return Breaker()


def unreachable(breaker: Breaker, now: float, policy: RetryPolicy, *, reason: str, delay: float) -> Breaker:
    """Return the breaker after a connectivity failure; `delay` (seconds) is the wait it asks for."""
    failures = breaker.failures + 1
    stays_closed = breaker.state is State.CLOSED and failures < policy.threshold
    state = State.CLOSED if stays_closed else State.OPEN
    return Breaker(state, failures, now + delay, reason)


def misconfigured(breaker: Breaker, now: float, *, reason: str, delay: float) -> Breaker:
    """Return the breaker of a misconfigured destination: paused, looked at again after `delay` (seconds)."""
    return Breaker(State.PAUSED, breaker.failures + 1, now + delay, reason)
