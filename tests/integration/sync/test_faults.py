"""A worker over the real outbox against a destination with faults at random: it always comes to an end, in order."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from appliance.archive.database import Connection
from appliance.archive.events import INSERT_EVENT
from appliance.archive.outbox import Delivery
from appliance.archive.room import Archive
from appliance.archive.routing import queue, routes
from appliance.errors import DeliveryError
from appliance.sync.rates import Timetable
from appliance.sync.retry import RetryPolicy
from appliance.sync.sinks.contract import Answer, Misconfigured, Rejected, RowFault, Unreachable
from appliance.sync.throttle import Throttle
from appliance.sync.worker import Pace, Worker
from tests.archives import SINK, new_archive
from tests.builders.backlog import SUBJECT
from tests.clocks import FakeClock

ROOT = "1.2.826.0.1.3680043.10.3"
KINDS = ("state", "image", "object")
LONGEST = 20_000  # rounds
TROUBLES: tuple[Callable[[], DeliveryError], ...] = (
    lambda: Unreachable("busy (500)", about_row=True),
    lambda: Misconfigured("class (0122)", about_row=True),
    lambda: Rejected("no"),
    lambda: RowFault("too long"),
    lambda: DeliveryError("odd"),
)
OUTAGES: tuple[Callable[[], DeliveryError], ...] = (
    lambda: Unreachable("gone"),
    lambda: Unreachable("overloaded", retry_after=7),
    lambda: Misconfigured("no right"),
)


class Destination:
    """Some rows it never takes, some it refuses now and then, and for some time it is away."""

    def __init__(self, chance: random.Random, clock: FakeClock) -> None:
        self.bad: dict[int, int] = {}
        self.seen: list[Delivery] = []
        self.away = 0.0
        self._chance = chance
        self._clock = clock

    def deliver(self, batch: Sequence[Delivery]) -> Mapping[int, Answer]:
        """Answer by row, or raise for the whole batch, half of it taken; both happen."""
        chance = self._chance
        if self._clock.monotonic() < self.away or chance.random() < 0.03:
            raise chance.choice(OUTAGES)()
        answers: dict[int, Answer] = {}
        for row in batch:
            fault = TROUBLES[self.bad[row.event_id]]() if row.event_id in self.bad else None
            if fault is None and chance.random() < 0.01:
                fault = Unreachable("lost the connection")
            if fault is not None and chance.random() < 0.5:
                raise fault
            answers[row.event_id] = fault
            if fault is None:
                self.seen.append(row)
        return answers

    def close(self) -> None:
        """Nothing is held."""


class Scene:
    """A box, its worker and the destination, all moved by one seed."""

    def __init__(self, home: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = FakeClock()
        self.archive: Archive = new_archive(home, self.clock)
        self.sink = Destination(self.chance, self.clock)
        pace = Pace(batch_rows=self.chance.choice((1, 2, 7, 50)), batch_bytes=self.chance.choice((1, 1 << 20)))
        self.policy = RetryPolicy(threshold=self.chance.choice((1, 3, 5)))
        parts = self.archive.outbox, self.clock, pace, self.policy, self.chance.random
        self.worker = Worker(SINK, self.sink, *parts, Throttle(Timetable(), self.clock))

    def add(self, count: int, series: int, *, sound: bool = False) -> None:
        """Announce `count` events of a few series; one in forty never gets through, unless all are `sound`."""
        with self.archive.database.write() as cx:
            for _ in range(count):
                number = self._event(cx, self.chance.randrange(series), self.chance.choice(KINDS))
                if not sound and self.chance.random() < 1 / 40:
                    self.sink.bad[number] = self.chance.randrange(len(TROUBLES))

    def _event(self, cx: Connection, place: int, kind: str) -> int:
        study = f"{ROOT}.{place}"
        series = f"{study}.1"
        values = {
            "tenant": self.archive.settings.tenant, "kind": kind, "study_uid": study, "series_uid": series,
            "sop_uid": None if kind == "state" else f"{series}.{self.chance.randrange(5)}", "version_id": None,
            "message_key": series, "payload": "{}", "revision": 1, "trace_id": "t", "traceparent": "",
            "created_at": self.clock.now(),
        }  # fmt: skip
        number = int(cx.execute(INSERT_EVENT, values).fetchall()[0][0])
        queue(cx, routes(cx), number, kind, f"{study}/{series}", SUBJECT, self.clock.now())
        return number

    def drain(self, trickle: int) -> None:
        """Work until everything is settled, while rows of other series go on arriving and faults come and go.

        Without company nobody can say that a row is at fault, so in the end sound rows come now and then.
        """
        for _ in range(LONGEST):
            self.clock.advance(self.worker.step().seconds)
            stats = self.archive.outbox.stats()[SINK]
            if trickle:
                self._trouble()
            if self.chance.random() < 0.3:
                trickle = max(trickle - 1, 0)
                if trickle or stats.pending:
                    self.add(1, 200, sound=not trickle)
            elif not trickle and not stats.pending and not stats.leased:
                return
        raise AssertionError("it did not come to an end")

    def _trouble(self) -> None:
        if self.chance.random() < 0.02:
            self.sink.away = self.clock.monotonic() + self.chance.choice((0.5, 20, 400))


@pytest.mark.parametrize("seed", range(6))
def test_whatever_goes_wrong_every_row_is_delivered_or_dead_and_in_order(tmp_path: Path, seed: int) -> None:
    scene = Scene(tmp_path / "home", seed)
    with closing(scene.archive):
        scene.add(150, scene.chance.choice((3, 40, 150)))
        scene.drain(trickle=120)
        rows = scene.archive.outbox.list(SINK, limit=10_000)
    bad, seen = scene.sink.bad, scene.sink.seen
    for row in rows:
        told = row["state"], row["attempts"]
        assert told == ("delivered", 1) if row["event_id"] not in bad else told[0] == "dead", dict(row)
        assert row["state"] == "delivered" or row["reason"]
    assert {row["event_id"] for row in rows if row["state"] == "delivered"} == {row.event_id for row in seen}
    last = {(delivery.kind, delivery.series_uid): delivery.event_id for delivery in seen}
    newest = {(row["kind"], row["series_uid"]): row["event_id"] for row in rows if row["state"] == "delivered"}
    for place, number in last.items():
        assert place[0] == "object" or number == newest[place], "what was seen last is the newest"
