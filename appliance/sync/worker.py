"""One sink's worker: claim, deliver, settle, and wait wisely in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from appliance.archive.outbox import Delivery, Lease, LeaseLost, Outcome
from appliance.clock import Clock
from appliance.errors import ArchiveError, ArchiveFailed
from appliance.failpoints import failpoint
from appliance.logs import get_logger
from appliance.sync import journal, retry
from appliance.sync.delivery import MICROSECONDS, Courier, Report, name_of
from appliance.sync.numbers import SinkNumbers
from appliance.sync.proving import Prover
from appliance.sync.queue import Queue
from appliance.sync.retry import Breaker, RetryPolicy, State, full_jitter
from appliance.sync.sinks.contract import Misconfigured, Sink
from appliance.sync.throttle import Throttle
from appliance.sync.yielding import Yielding

GLANCE_SECONDS = 0.1
# A trickle is given so long to become a batch: fewer transactions for the door to wait behind.
GATHER_SECONDS = 0.25
ERROR_SECONDS = 1.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rest:
    """How long there is nothing to do, and whether a new event ends it. Seconds."""

    seconds: float
    wakes: bool


class Wish(Protocol):
    """The wish to stop, as lifecycle.Stop carries it."""

    def is_set(self) -> bool:
        """Say whether the end is wished."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for it; return whether it is set."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much a worker takes at a time, and how it waits. Sizes in bytes, times in seconds."""

    batch_rows: int = 200
    batch_bytes: int = 64 << 20
    lease_seconds: float = 60.0
    poll_seconds: float = 1.0
    share: float = 0.05  # of a processor, while new instances arrive


class Worker:
    """Serves one sink from one thread. Only `numbers` may be read from others."""

    def __init__(
        self, name: str, sink: Sink, outbox: Queue, clock: Clock, pace: Pace, policy: RetryPolicy,
        random: Callable[[], float], throttle: Throttle, prover: Prover | None = None,
    ) -> None:  # fmt: skip
        """Take the sink and everything it is served with; `random` draws from [0, 1).

        `prover` reads back what was delivered, while there is nothing to deliver.
        """
        self.name = name
        self.numbers = SinkNumbers()
        self._sink = sink
        self._outbox = outbox
        self._clock = clock
        self._pace = pace
        self._policy = policy
        self._random = random
        self._courier = Courier(sink, policy, random)
        self._throttle = throttle
        self._prover = prover
        self._yielding = Yielding(outbox.newest, pace.share)
        self._breaker = Breaker()
        self._unanswered = True
        self._shown = ("", "")
        self._unsettled: tuple[Lease, list[Outcome]] | None = None

    def run(self, stop: Wish) -> None:
        """Work until the wish to stop; the batch in hand is finished first. Raises ArchiveFailed."""
        while not stop.is_set():
            try:
                self._round(stop)
            except ArchiveFailed:
                raise
            except ArchiveError as error:
                log.warning("outbox not available", sink=self.name, fault=error.message)
                stop.wait(ERROR_SECONDS)
            except Exception as error:  # boundary: a defect here must not end the service of the sink
                log.error("worker failed", sink=self.name, fault=name_of(error))
                log.debug("worker failed", exc_info=True)
                stop.wait(ERROR_SECONDS)
        self._sink.close()

    def step(self) -> Rest:
        """Do one round of work; return how long there is nothing to do.

        Raises ArchiveError; rows in hand stay leased then, and what was delivered is settled
        first at the next step.
        """
        self._settle()
        self._show()
        if self._is_held():
            return Rest(self._pace.poll_seconds, wakes=True)
        now = self._clock.monotonic()
        breaker = retry.due(self._breaker, now)
        rows = retry.rows_allowed(breaker, now, self._pace.batch_rows)
        if not rows:
            return Rest(breaker.not_before - now, wakes=False)
        room, wait = self._throttle.allowance()
        self.numbers.limit = self._throttle.limit
        if not room:
            return Rest(wait, wakes=False)
        self._yielding.begin()
        lease = self._claim(rows, min(self._pace.batch_bytes, room))
        if lease is None:
            return self._idle(breaker)
        if not lease.deliveries:
            return Rest(self._yielding.rest(), wakes=False)
        self._change(breaker)
        failpoint("sync.after_claim")
        gather = 0.0 if self._deliver(lease, rows) else GATHER_SECONDS
        return Rest(max(gather, self._yielding.rest()), wakes=False)

    def _deliver(self, lease: Lease, rows: int) -> bool:
        """Deliver and settle a lease of at most `rows`; say whether more is likely to be due."""
        report = self._courier.carry(lease.deliveries, self._clock.now())
        self._unsettled = lease, report.outcomes
        if report.reached or report.obstacle is None:  # a try that reached nobody has used no line
            self._throttle.charge(sum(map(_size, lease.deliveries)))
        self._settle()
        breaker = self._judged(report, len(lease.deliveries))
        self._unanswered &= not report.reached and breaker.state is State.CLOSED
        self._change(breaker)
        return self._is_full(lease, rows)

    def _is_held(self) -> bool:
        held = self._outbox.held(self.name)
        if held != self.numbers.held:
            log.info("sink held" if held else "sink released", sink=self.name)
            log.debug("sink held", sink=self.name, reason=held)  # an operator's free text: it may name a patient
            self.numbers.held = held
        return bool(held)

    def _idle(self, breaker: Breaker) -> Rest:
        """Nothing is due: read something back, or wait for the next row."""
        if (breaker != Breaker() or self._unanswered) and self._outbox.next_due(self.name) is None:
            self._unanswered = False  # what the last process recorded kept nothing waiting
            self._change(retry.nothing_pending(breaker, self._clock.monotonic()))
        if self._prover is not None and (size := self._prover.step()):
            self._throttle.charge(size)
            return Rest(0.0, wakes=True)
        return Rest(self._until_due(), wakes=True)

    def _round(self, stop: Wish) -> None:
        seen = self._outbox.changed()  # before the claim, so that no event is overlooked
        rest = self.step()
        deadline = self._clock.monotonic() + rest.seconds
        while (left := deadline - self._clock.monotonic()) > 0:
            if stop.wait(min(left, GLANCE_SECONDS)) or (rest.wakes and self._outbox.changed() != seen):
                return

    def _claim(self, rows: int, size: int) -> Lease | None:
        """Claim rows of others than suspects, and in their company one of a suspect; then a suspect's in turn."""
        claim = partial(self._outbox.claim, self.name, rows=rows, bytes_=size, lease_seconds=self._pace.lease_seconds)
        suspects = self._courier.suspects
        if not suspects:
            return claim()
        avoid = tuple(suspects)
        if rows == 1 and self._breaker.failures:
            return claim(avoid=avoid) or claim(avoid=avoid, turn=suspects.turn()) or claim()
        # Without company nobody learns whose fault it is, however small a batch is wished.
        return claim(rows=max(rows, 2), avoid=avoid, turn=suspects.turn()) or claim()

    def _is_full(self, lease: Lease, rows: int) -> bool:
        """Say whether more is likely to be due; a trickle is given a moment to become a batch."""
        limited = self._throttle.limit is not None  # then the throttle says when
        size = sum(row.blob.file_size for row in lease.deliveries if row.blob)
        more = len(lease.deliveries) >= rows or bool(self._courier.suspects)
        return limited or more or size * 2 >= self._pace.batch_bytes

    def _until_due(self) -> float:
        due = self._outbox.next_due(self.name)
        left = self._pace.poll_seconds if due is None else (due - self._clock.now()) / MICROSECONDS
        return min(left, self._pace.poll_seconds) if left > 0 else self._pace.poll_seconds

    def _settle(self) -> None:
        """Record what is known of the rows in hand. A lost lease is given up: the rows come again."""
        if self._unsettled is None:
            return
        lease, outcomes = self._unsettled
        failpoint("sync.before_settle")
        try:
            self._outbox.settle(lease, outcomes)
        except LeaseLost as error:
            log.warning("lease lost", sink=self.name, rows=len(outcomes), fault=error.message)
        except ArchiveError as error:
            if not error.retryable:
                self._unsettled = None
            raise
        else:
            self.numbers.count(outcomes, self._clock.now())
            journal.tell(self.name, lease.deliveries, outcomes)
        self._unsettled = None
        failpoint("sync.after_settle")

    def _judged(self, report: Report, tried: int) -> Breaker:
        obstacle, breaker = report.obstacle, self._breaker
        if obstacle is None:
            return retry.reached(breaker, self._pace.batch_rows) if report.reached else breaker
        now = self._clock.monotonic()
        reason = f"{obstacle.message}; {obstacle.hint}" if obstacle.hint else obstacle.message
        delay = full_jitter(breaker.failures + 1, self._policy, self._random())
        if isinstance(obstacle, Misconfigured):
            return retry.misconfigured(breaker, now, reason=reason, delay=delay)
        delay = max(delay, obstacle.retry_after)
        return retry.unreachable(breaker, now, self._policy, reason=reason, delay=delay, tried=tried)

    def _change(self, breaker: Breaker) -> None:
        """Take the new standing and show it; a database that is busy now is told at the next step."""
        before, self._breaker = self._breaker, breaker
        if before.state is not breaker.state:
            level = log.info if breaker.state is State.CLOSED else log.warning
            level("sink " + breaker.state.value, sink=self.name, reason=breaker.reason)
        try:
            self._show()
        except ArchiveError as error:
            if not error.retryable:
                raise

    def _show(self) -> None:
        """Record what an operator sees of the breaker, when it has changed.

        Until the destination has been heard of, what the last process recorded holds: a restart mends no line.
        """
        if self._unanswered:
            return
        shown = self._breaker.state.value, self._breaker.reason
        if shown != self._shown:
            self.numbers.breaker, self.numbers.reason = shown
            self._outbox.breaker(self.name, *shown)
            self._shown = shown


def _size(row: Delivery) -> int:
    return row.blob.file_size if row.blob else len(row.payload)
