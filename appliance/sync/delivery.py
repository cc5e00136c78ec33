"""What a sink answered, translated into outbox outcomes: the sync room's one table of faults.

| the sink says | the row | the sink |
|---|---|---|
| delivered | DELIVERED | reached |
| delivered, a state or image behind an unfinished one of its series | WAIT: it is sent again | reached |
| Unreachable | WAIT, attempts untouched | obstacle: the breaker counts |
| Misconfigured | WAIT, attempts untouched | obstacle: paused |
| RowFault | DEAD; a whole batch is split first | Rejected: reached; else unchanged |
| anything else | FAILED with backoff, DEAD at the last attempt; a whole batch is split first | unchanged |

A row that meets an obstacle alone makes its series a suspect. The first row of a suspect is tried by
itself, ahead of the others. When it meets an obstacle again and one of its kind gets through right
after it, the obstacle was no obstacle: the row waits with backoff, and where the destination's answer
was about this row it counts as FAILED.
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
from appliance.sync.sinks.contract import Answer, Misconfigured, Rejected, RowFault, Sink, Unreachable
from appliance.sync.suspects import Suspects

Obstacle = Unreachable | Misconfigured
FINISHED = frozenset({Verdict.DELIVERED, Verdict.DEAD})
MICROSECONDS = 1_000_000
HELD_BACK = "waits for an earlier row of its series"
ALONE = "{0}, for this row alone: others get through"
# Objects may come in any order: each has a UID of its own, and the same bytes whenever it comes.
ORDERED = frozenset({"state", "image"})
NO_ANSWER = "the sink gave no answer for this row"

log = get_logger(__name__)


@dataclass(slots=True)
class Report:
    """What became of one lease: an outcome per row, and whether the destination was there.

    `reached` is true when the destination took or judged at least one row; `obstacle` kept the rest
    from it. `held` are the series that an unfinished row holds back, `behind` the series and kind of
    each. `accused` is a suspect's row and its obstacle until the next rows tell whose fault it is.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    reached: bool = False
    obstacle: Obstacle | None = None
    held: set[str] = field(default_factory=set)
    behind: set[tuple[str, str]] = field(default_factory=set)
    accused: tuple[Delivery, Obstacle] | None = None


class Courier:
    """Takes leased rows to one sink, splits batches that fail as a whole, and reports."""

    def __init__(self, sink: Sink, policy: RetryPolicy, random: Callable[[], float]) -> None:
        """Take the sink, the limits and a source of numbers in [0, 1)."""
        self.suspects = Suspects()
        self._sink = sink
        self._policy = policy
        self._random = random

    def carry(self, deliveries: Sequence[Delivery], now: int) -> Report:
        """Deliver the rows, in order but for suspects; return an outcome for each, and raise no error of the sink's.

        After an obstacle nothing more is tried. A row that is not finished holds back those of
        its series that were not tried yet. `now` is in microseconds since the epoch.
        """
        report = Report()
        alone, others = self._separate(deliveries)
        parts = [others, *((row,) for row in reversed(alone))]
        while parts:
            part = _without_held(parts.pop(), report)
            answers = self._ask(part, report.obstacle)
            if answers is None:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
                continue
            found = [(row, answers.get(row.event_id, DeliveryError(NO_ANSWER))) for row in part]
            if len(found) == 1 and report.obstacle is None and self._accuse(*found[0], report, waits=bool(parts)):
                continue
            for row, answer in found:
                self._note(row, answer, now, report)
            if found:
                self._judge(found, now, report)
        self._judge((), now, report)
        return report

    def _separate(self, deliveries: Sequence[Delivery]) -> tuple[list[Delivery], tuple[Delivery, ...]]:
        """Return the first row of each suspect, and the others."""
        alone: dict[str, Delivery] = {}
        for row in deliveries:
            if row.series_key in self.suspects:
                alone.setdefault(row.series_key, row)
        first = {row.event_id for row in alone.values()}
        return list(alone.values()), tuple(row for row in deliveries if row.event_id not in first)

    def _accuse(self, row: Delivery, answer: Answer, report: Report, *, waits: bool) -> bool:
        """Suspect a row that met an obstacle alone; say whether the verdict has to wait for the rows after it."""
        if not isinstance(answer, Unreachable | Misconfigured):
            return False
        known = row.series_key in self.suspects
        self.suspects.add(row.series_key)
        if not (known and waits) or report.accused is not None:
            return False
        report.accused = row, answer
        report.held.add(row.series_key)
        return True

    def _judge(self, found: Sequence[tuple[Delivery, Answer]], now: int, report: Report) -> None:
        """Decide by what became of the next rows whether an accused row has met an obstacle or is one."""
        if report.accused is None:
            return
        (accused, obstacle), report.accused = report.accused, None
        if not any(row.kind == accused.kind and _is_reached(answer) for row, answer in found):
            self._note(accused, obstacle, now, report)
            return
        strikes = self.suspects.strike(accused.series_key)
        reason = ALONE.format(obstacle.message)
        wish = getattr(obstacle, "retry_after", 0.0)
        if obstacle.about_row and not wish:
            self._note(accused, DeliveryError(reason, hint=obstacle.hint), now, report)
            return
        wait = max(wish, full_jitter(strikes, self._policy, self._random()))
        report.outcomes.append(Outcome(accused.event_id, Verdict.WAIT, reason, now + round(wait * MICROSECONDS)))

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
        place = delivery.kind, delivery.series_key
        if _is_reached(answer):
            report.reached = True
        if outcome.verdict is Verdict.DELIVERED and delivery.kind in ORDERED and place in report.behind:
            # An older row that comes later must not be the last that is seen: this one comes once more.
            outcome = Outcome(delivery.event_id, Verdict.WAIT, HELD_BACK)
        report.outcomes.append(outcome)
        if outcome.verdict in FINISHED:
            self.suspects.clear(delivery.series_key)
        else:
            report.held.add(delivery.series_key)
            report.behind.add(place)
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
        if delivery.series_key in report.held and report.obstacle is None:
            report.outcomes.append(Outcome(delivery.event_id, Verdict.WAIT, HELD_BACK))
        else:
            free.append(delivery)
    return tuple(free)


def _is_reached(answer: Answer) -> bool:
    """Say whether an answer proves that the destination is there."""
    return answer is None or isinstance(answer, Rejected)


def name_of(error: Exception) -> str:
    """Name an error and its place, without its text, which may quote a record."""
    name = type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        name += f" {errno.errorcode.get(error.errno, error.errno)}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{name} at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else name
