"""What a sink answered, translated into outbox outcomes: the sync room's one table of faults.

| the sink says | the row | the sink |
|---|---|---|
| delivered | DELIVERED | reached |
| Unreachable | WAIT, attempts untouched | obstacle: the breaker counts |
| Misconfigured | WAIT, attempts untouched | obstacle: paused |
| RowFault | DEAD; a whole batch is split first | unchanged |
| anything else | FAILED with backoff, DEAD at the last attempt; a whole batch is split first | unchanged |
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from appliance.archive.outbox import Delivery, Outcome, Verdict
from appliance.errors import DeliveryError
from appliance.logs import get_logger
from appliance.sync.retry import RetryPolicy, full_jitter
from appliance.sync.sinks.contract import Answer, Misconfigured, RowFault, Sink, Unreachable

Obstacle = Unreachable | Misconfigured
MICROSECONDS = 1_000_000
HELD_BACK = "waits for an earlier row of its series"
NO_ANSWER = "the sink gave no answer for this row"

log = get_logger(__name__)


@dataclass(slots=True)
class Report:
    """What became of one lease: an outcome per row, and whether the destination was there.

    `reached` is true when at least one row was delivered; `obstacle` kept the rest from it.
    `held` are the series that an unfinished row holds back.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    reached: bool = False
    obstacle: Obstacle | None = None
    held: set[tuple[str, str]] = field(default_factory=set)


class Courier:
    """Takes leased rows to one sink, splits batches that fail as a whole, and reports."""

    def __init__(self, sink: Sink, policy: RetryPolicy, random: Callable[[], float]) -> None:
        """Take the sink, the limits and a source of numbers in [0, 1)."""
        self._sink = sink
        self._policy = policy
        self._random = random

    def carry(self, deliveries: Sequence[Delivery], now: int) -> Report:
        """Deliver the rows in order; return an outcome for each, and raise no error of the sink's.

        After an obstacle nothing more is tried. A row that is not finished holds back those of
        its series that were not tried yet. `now` is in microseconds since the epoch.
        """
        report = Report()
        parts = [tuple(deliveries)]
        while parts:
            part = _without_held(parts.pop(), report)
            answers = self._ask(part, report.obstacle)
            if answers is None:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
                continue
            for delivery in part:
                answer = answers.get(delivery.event_id, DeliveryError(NO_ANSWER))
                self._note(delivery, answer, now, report)
        return report

    def _ask(self, part: Sequence[Delivery], obstacle: Obstacle | None) -> Mapping[int, Answer] | None:
        """Return the answers, or None when one unnamed row of several spoils the batch."""
        if not part:
            return {}
        try:
            if obstacle is not None:
                raise obstacle
            return self._sink.deliver(part)
        except (Unreachable, Misconfigured) as error:
            return {delivery.event_id: error for delivery in part}
        except DeliveryError as error:
            fault = error
        except Exception as error:  # boundary: a sink's bug or a library's error costs attempts, not the room
            log.error("sink failed", sink=type(self._sink).__name__, rows=len(part), fault=name_of(error))
            log.debug("sink failed", exc_info=True)
            fault = DeliveryError(f"unexpected {name_of(error)}")
        return None if len(part) > 1 else {part[0].event_id: fault}

    def _note(self, delivery: Delivery, answer: Answer, now: int, report: Report) -> None:
        outcome = self._outcome(delivery, answer, now)
        report.outcomes.append(outcome)
        if outcome.verdict is Verdict.DELIVERED:
            report.reached = True
        elif outcome.verdict is not Verdict.DEAD:
            report.held.add((delivery.study_uid, delivery.series_uid))
        if isinstance(answer, Unreachable | Misconfigured):
            report.obstacle = answer

    def _outcome(self, delivery: Delivery, answer: Answer, now: int) -> Outcome:
        if answer is None:
            return Outcome(delivery.event_id, Verdict.DELIVERED)
        if isinstance(answer, Unreachable | Misconfigured):
            return Outcome(delivery.event_id, Verdict.WAIT, answer.message)
        attempts = delivery.attempts + 1
        if isinstance(answer, RowFault) or attempts >= self._policy.attempts:
            return Outcome(delivery.event_id, Verdict.DEAD, answer.message)
        delay = full_jitter(attempts, self._policy, self._random())
        return Outcome(delivery.event_id, Verdict.FAILED, answer.message, now + round(delay * MICROSECONDS))


def _without_held(part: Sequence[Delivery], report: Report) -> tuple[Delivery, ...]:
    free = []
    for delivery in part:
        if (delivery.study_uid, delivery.series_uid) in report.held and report.obstacle is None:
            report.outcomes.append(Outcome(delivery.event_id, Verdict.WAIT, HELD_BACK))
        else:
            free.append(delivery)
    return tuple(free)


def name_of(error: Exception) -> str:
    """Name an error and its place, without its text, which may quote a record."""
    name = type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        name += f" {errno.errorcode.get(error.errno, error.errno)}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{name} at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else name
