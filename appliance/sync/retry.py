"""When to try again: full jitter, and one circuit breaker per sink as a pure state machine.

    closed ---- `threshold` connectivity failures in a row ----> open
    open, paused ---- the waiting time is over ----> half-open (one row)
    half-open ---- the destination took or judged a row ----> closed
    half-open ---- connectivity failure ----> open
    any ---- the destination needs an administrator ----> paused
    any ---- the waiting time is over, nothing is pending ----> closed

A failure halves how many rows are tried together, a success doubles it again: if one row brings
down the batches it is in, it is soon tried alone.

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
    """One sink's standing. `failures` counts in a row; `rows` bounds a batch since the last one, 0 is no bound.

    Nothing is tried before `not_before`, in seconds of the monotonic clock: a wall clock that is
    set back must not keep a sink shut.
    """

    state: State = State.CLOSED
    failures: int = 0
    not_before: float = 0.0
    reason: str = ""
    rows: int = 0


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
    if breaker.state is not State.CLOSED:
        return 1
    return min(batch_rows, breaker.rows or batch_rows)


def due(breaker: Breaker, now: float) -> Breaker:
    """Return the breaker as it stands when something is about to be tried at `now`."""
    if breaker.state in WAITING and now >= breaker.not_before:
        return replace(breaker, state=State.HALF_OPEN)
    return breaker


def reached(breaker: Breaker, batch_rows: int) -> Breaker:
    """Return the breaker after the destination took a row or judged it: closed, nothing counted."""
    rows = 2 * (breaker.rows if breaker.state is State.CLOSED else 1)
    return Breaker(rows=rows if rows < batch_rows and breaker.rows else 0)


def unreachable(breaker: Breaker, now: float, policy: RetryPolicy, *, reason: str, delay: float, tried: int) -> Breaker:
    """Return the breaker after `tried` rows met a connectivity failure; it asks for a wait of `delay` seconds."""
    failures = breaker.failures + 1
    stays_closed = breaker.state is State.CLOSED and failures < policy.threshold
    state = State.CLOSED if stays_closed else State.OPEN
    return Breaker(state, failures, now + delay, reason, max(1, tried // 2))


def misconfigured(breaker: Breaker, now: float, *, reason: str, delay: float) -> Breaker:
    """Return the breaker of a misconfigured destination: paused, looked at again after `delay` (seconds)."""
    return Breaker(State.PAUSED, breaker.failures + 1, now + delay, reason, 1)


def nothing_pending(breaker: Breaker, now: float) -> Breaker:
    """Return the breaker when no row is left that could tell how the destination is: closed once its wait is over."""
    return breaker if now < breaker.not_before else Breaker()
