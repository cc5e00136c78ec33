"""A sink that does as it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from appliance.archive.outbox import Delivery
from appliance.sync.sinks.contract import Answer


class ScriptedSink:
    """Asks `rule` about each row; the rule returns an answer for the row or raises for the whole batch."""

    def __init__(self, rule: Callable[[Delivery], Answer] = lambda _: None) -> None:
        self.rule = rule
        self.batches: list[tuple[int, ...]] = []
        self.delivered: list[int] = []
        self.closed = False

    def deliver(self, batch: Sequence[Delivery]) -> Mapping[int, Answer]:
        """Note the batch, then obey the rule."""
        self.batches.append(tuple(row.event_id for row in batch))
        answers = {row.event_id: self.rule(row) for row in batch}
        self.delivered += [number for number, answer in answers.items() if answer is None]
        return answers

    def close(self) -> None:
        """Note it."""
        self.closed = True
