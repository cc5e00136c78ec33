"""A worker under policies: paused by the operator, kept to a rate, proving what it has delivered."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.sync.proving import Finding, Prover
from appliance.sync.rates import Timetable, Window
from appliance.sync.retry import RetryPolicy
from appliance.sync.sinks.contract import Unreachable
from appliance.sync.throttle import Throttle
from appliance.sync.worker import Pace, Rest, Worker
from tests.builders.deliveries import GROUP2, Deliveries
from tests.clocks import FakeClock
from tests.unit.sync.outboxes import FakeOutbox
from tests.unit.sync.proofs import Destination, FakeProofs
from tests.unit.sync.scripted_sink import ScriptedSink

SIZE = len(GROUP2) + 1000
ALWAYS = frozenset(range(7))


class Bench:
    """One worker with everything around it under control."""

    def __init__(self, directory: Path, rate: int | None = None, *, proves: bool = False) -> None:
        self.clock = FakeClock()
        self.outbox = FakeOutbox(self.clock)
        self.sink = ScriptedSink()
        self.make = Deliveries(directory)
        self.destination = Destination()
        self.proofs = FakeProofs()
        windows = () if rate is None else (Window(ALWAYS, 0, 24, rate),)
        pace, throttle = Pace(batch_rows=100), Throttle(Timetable(windows), self.clock)
        prover = Prover("outbound", self.destination, self.proofs, self.clock, 3600) if proves else None
        jitter = RetryPolicy(), lambda: 1.0
        self.worker = Worker("outbound", self.sink, self.outbox, self.clock, pace, *jitter, throttle, prover)

    def add(self, count: int) -> None:
        """Announce objects of SIZE bytes, each of a series of its own."""
        self.outbox.add(*(self.make.object(str(n), data=bytes([n]) * 1000) for n in range(count)))

    def run(self, seconds: float) -> int:
        """Work for so many seconds of the clock; return the bytes sent."""
        end, before = self.clock.monotonic() + seconds, len(self.sink.delivered)
        while self.clock.monotonic() < end:
            self.clock.advance(max(self.worker.step().seconds, 0.001))
        return (len(self.sink.delivered) - before) * SIZE


def test_a_held_sink_delivers_nothing_and_says_why(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.add(3)
    bench.outbox.reason = "the line is being moved"
    assert bench.worker.step() == Rest(1.0, wakes=True)
    assert bench.worker.numbers.snapshot()["held"] == "the line is being moved"
    assert not bench.outbox.claims
    bench.outbox.reason = ""
    bench.worker.step()
    assert set(bench.outbox.states.values()) == {"delivered"}
    assert bench.worker.numbers.held == ""


def test_a_hold_leaves_the_breaker_as_it_was(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.add(1)
    bench.worker.step()
    bench.outbox.reason = "x"
    bench.worker.step()
    assert [state for state, _ in bench.outbox.breakers] == ["closed"]


def test_a_rate_is_kept_over_a_long_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rate=2 * SIZE)
    bench.add(250)
    sent = bench.run(60)
    assert 0.9 * 60 * 2 * SIZE <= sent <= 1.1 * 60 * 2 * SIZE
    assert bench.worker.numbers.limit == 2 * SIZE


def test_an_object_larger_than_a_second_of_the_line_goes_and_is_waited_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rate=SIZE // 100)
    bench.add(3)
    assert bench.run(50) == SIZE
    assert bench.run(100) == SIZE
    assert bench.outbox.claims == [1, 1]


def test_a_rate_of_0_sends_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rate=0)
    bench.add(3)
    assert bench.run(600) == 0
    assert bench.worker.numbers.limit == 0


def test_a_destination_that_is_away_costs_no_rate(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rate=1)
    bench.add(1)

    def gone(_: object) -> None:
        raise Unreachable("gone")

    bench.sink.rule = gone
    bench.run(10)
    assert len(bench.sink.batches) > 1
    bench.sink.rule = lambda _: None
    assert bench.run(120) == SIZE


def test_proofs_wait_until_nothing_is_to_be_delivered(tmp_path: Path) -> None:
    bench = Bench(tmp_path, proves=True)
    bench.proofs.rows = [bench.make.object(sop=str(n)) for n in range(3)]
    bench.add(2)
    bench.worker.step()
    assert not bench.proofs.proven
    bench.run(1)
    assert len(bench.proofs.proven) == 3


def test_a_round_ends_with_what_was_there_when_it_began(tmp_path: Path) -> None:
    bench = Bench(tmp_path, proves=True)
    bench.proofs.rows = [bench.make.object(sop="1")]
    bench.run(1)
    bench.proofs.rows = [bench.make.object(sop="2")]
    bench.run(3500)
    assert len(bench.proofs.proven) == 1
    bench.run(200)
    assert len(bench.proofs.proven) == 2


@pytest.mark.parametrize(("finding", "again"), [(Finding.ABSENT, True), (Finding.DIFFERENT, False)])
def test_what_is_missing_is_sent_again_and_what_was_changed_is_not(
    tmp_path: Path, finding: Finding, again: bool
) -> None:
    bench = Bench(tmp_path, proves=True)
    bench.proofs.rows = [bench.make.object(sop="1")]
    bench.destination.finding = finding
    bench.run(1)
    assert bench.proofs.refuted == [(1, finding.value, again)]


def test_a_service_that_is_away_is_asked_again_after_a_minute(tmp_path: Path) -> None:
    bench = Bench(tmp_path, proves=True)
    bench.proofs.rows = [bench.make.object(sop="1")]
    bench.destination.outage = Unreachable("gone")
    bench.run(59)
    assert bench.destination.asked == 1
    assert not bench.proofs.proven
    bench.destination.outage = None
    bench.run(10)
    assert len(bench.proofs.proven) == 1


def test_one_object_that_cannot_be_read_back_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    bench = Bench(tmp_path, proves=True)
    first, second = bench.make.object(sop="1"), bench.make.object(sop="2")
    bench.proofs.rows = [first, second]
    bench.destination.outage = Unreachable("answers 500")
    bench.run(1)
    bench.destination.outage = None
    bench.run(61)
    assert bench.proofs.proven == [second.event_id, first.event_id]


def test_reading_back_uses_the_line_as_well(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rate=SIZE // 100, proves=True)
    bench.proofs.rows = [bench.make.object(sop=str(n), data=bytes(1000)) for n in range(5)]
    bench.run(250)
    assert len(bench.proofs.proven) == 3
