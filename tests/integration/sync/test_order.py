"""In which order rows leave: a worker over the real outbox, one row at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from appliance.archive.outbox import Delivery
from appliance.archive.room import Archive
from appliance.model.routes import NEWEST, PriorityRule, Route, Selection
from appliance.sync.rates import Timetable
from appliance.sync.retry import RetryPolicy
from appliance.sync.throttle import Throttle
from appliance.sync.worker import Pace, Worker
from tests.archives import SINK, new_archive, sender
from tests.builders.instances import part10, series
from tests.clocks import FakeClock
from tests.unit.sync.scripted_sink import ScriptedSink

URGENT = PriorityRule(Selection(modalities=("XA",)), 0)
OLD = PriorityRule(Selection(), 9, older_than_days=30)


class Queue:
    """An archive with one sink, and what its worker delivers."""

    def __init__(self, home: Path, route: Route) -> None:
        self.clock = FakeClock()
        self.archive: Archive = new_archive(home, self.clock, sinks=(route,))
        self.sink = ScriptedSink(self._take)
        self.rows: list[Delivery] = []
        pace = Pace(batch_rows=1)
        parts = self.archive.outbox, self.clock, pace, RetryPolicy(), lambda: 1.0, Throttle(Timetable(), self.clock)
        self.worker = Worker(route.name, self.sink, *parts)

    def _take(self, row: Delivery) -> None:
        self.rows.append(row)

    def store(self, count: int = 2, **overrides: object) -> str:
        """Store a series in a study of its own; return the study's UID."""
        datasets: list[Dataset] = list(series(count, **overrides))
        for dataset in datasets:
            self.archive.ingest.receive_file(BytesIO(part10(dataset)), sender())
        self.clock.advance(60)
        return str(datasets[0].StudyInstanceUID)

    def deliver(self, rows: int = 1000) -> None:
        """Deliver at most so many rows."""
        end = len(self.rows) + rows
        while len(self.rows) < end:
            before = len(self.rows)
            self.worker.step()
            if len(self.rows) == before:
                return

    def studies(self) -> list[str]:
        """Studies in the order they went; neighbours that are alike count once. Order within each series held."""
        for one in {row.series_uid for row in self.rows}:
            numbers = [row.event_id for row in self.rows if row.series_uid == one]
            assert all(first < second for first, second in pairwise(numbers))
        uids = [row.study_uid for row in self.rows]
        return [uid for at, uid in enumerate(uids) if at == 0 or uids[at - 1] != uid]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def queues(home: Path) -> Iterator[list[Queue]]:
    """Queues that a test has made; closed afterwards."""
    made: list[Queue] = []
    yield made
    for queue in made:
        queue.archive.close()


def made(queues: list[Queue], home: Path, **route: object) -> Queue:
    queues.append(Queue(home, replace(Route(SINK), **route)))  # type: ignore[arg-type]
    return queues[-1]


def test_fifo_is_the_order_of_arrival(queues: list[Queue], home: Path) -> None:
    queue = made(queues, home)
    stored = [queue.store() for _ in range(3)]
    queue.deliver()
    assert queue.studies() == stored


def test_newest_sends_the_last_study_first(queues: list[Queue], home: Path) -> None:
    queue = made(queues, home, order=NEWEST)
    stored = [queue.store() for _ in range(3)]
    queue.deliver()
    assert queue.studies() == stored[::-1]


def test_priorities_stand_above_the_order_and_the_first_rule_counts(queues: list[Queue], home: Path) -> None:
    queue = made(queues, home, priorities=(URGENT, OLD))
    plain = queue.store(Modality="CT", StudyDate="20231110")
    old = queue.store(Modality="CT", StudyDate="20010101")
    urgent = queue.store(Modality="XA", StudyDate="20010101")
    queue.deliver()
    assert queue.studies() == [urgent, plain, old]


def test_sync_now_overtakes_everything_and_breaks_no_series(queues: list[Queue], home: Path) -> None:
    queue = made(queues, home, priorities=(URGENT,))
    stored = [queue.store(3), queue.store(3, Modality="XA"), queue.store(3)]
    queue.deliver(2)
    assert queue.archive.outbox.hurry(stored[2]) == 7  # a state, three images, three objects
    queue.deliver(7)
    queue.deliver()
    assert queue.studies() == [stored[1], stored[2], stored[1], stored[0]]


def test_what_joins_a_series_that_waits_stays_behind_it(queues: list[Queue], home: Path) -> None:
    queue = made(queues, home)
    first = queue.store(1)
    study = list(series(3))
    for dataset in study[:2]:
        queue.archive.ingest.receive_file(BytesIO(part10(dataset)), sender())
    queue.archive.outbox.hurry(str(study[0].StudyInstanceUID))
    queue.deliver(1)
    queue.archive.ingest.receive_file(BytesIO(part10(study[2])), sender())
    queue.deliver()
    assert queue.studies() == [str(study[0].StudyInstanceUID), first]


def test_sync_now_may_name_one_sink(queues: list[Queue], home: Path) -> None:
    queue = made(queues, home)
    stored = [queue.store(), queue.store()]
    assert queue.archive.outbox.hurry(stored[1], sink="another") == 0
    queue.deliver()
    assert queue.studies() == stored
