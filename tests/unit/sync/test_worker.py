"""The worker's rounds under a clock that a test moves."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import structlog

from appliance.archive.outbox import Delivery, Lease, LeaseLost
from appliance.clock import Clock, SystemClock
from appliance.errors import ArchiveFailed, DeliveryError, DiskFull
from appliance.sync.rates import Timetable
from appliance.sync.retry import RetryPolicy
from appliance.sync.sinks.contract import Answer, Misconfigured, Rejected, RowFault, Unreachable
from appliance.sync.throttle import Throttle
from appliance.sync.worker import Pace, Rest, Worker
from tests.builders.deliveries import Deliveries
from tests.clocks import FakeClock
from tests.unit.sync.outboxes import FakeOutbox
from tests.unit.sync.scripted_sink import ScriptedSink
from tests.waiting import wait_until


def unlimited(clock: Clock) -> Throttle:
    """No limit at any hour."""
    return Throttle(Timetable(), clock)


PACE = Pace(batch_rows=4, poll_seconds=1.0)


class Bench:
    """One worker with everything around it under control; jitter is always its longest."""

    def __init__(self, directory: Path, pace: Pace = PACE) -> None:
        self.clock = FakeClock()
        self.outbox = FakeOutbox(self.clock)
        self.sink = ScriptedSink()
        self.make = Deliveries(directory)
        self.worker = Worker(
            "outbound", self.sink, self.outbox, self.clock, pace, RetryPolicy(), lambda: 1.0, unlimited(self.clock)
        )

    def add(self, count: int) -> None:
        """Announce `count` states of as many series."""
        self.outbox.add(*(self.make.state(str(n)) for n in range(count)))

    def step(self) -> Rest:
        """Work one round, then let the time it asked for pass."""
        rest = self.worker.step()
        self.clock.advance(rest.seconds)
        return rest

    def open(self) -> None:
        """Let the destination be away until the breaker is open."""
        self.sink.rule = _gone
        while not self.outbox.breakers or self.breaker != "open":
            self.step()

    @property
    def breaker(self) -> str:
        """The standing an operator sees."""
        return self.outbox.breakers[-1][0]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def _gone(_: Delivery) -> Answer:
    raise Unreachable("no route to the destination", hint="check the line")


def _odd(_: Delivery) -> Answer:
    raise KeyError("a defect")


def test_delivers_batch_by_batch_without_resting(bench: Bench) -> None:
    bench.add(10)
    assert [bench.step().seconds for _ in range(2)] == [0.0, 0.0]
    bench.step()
    assert set(bench.outbox.states.values()) == {"delivered"}
    assert bench.outbox.claims == [4, 4, 2]
    assert bench.worker.numbers.snapshot()["delivered"] == 10


def test_an_empty_outbox_is_looked_at_again_after_the_poll_time_or_a_change(bench: Bench) -> None:
    assert bench.worker.step() == Rest(1.0, wakes=True)


def test_sleeps_until_the_next_row_is_due(bench: Bench) -> None:
    bench.add(1)
    bench.outbox.due[1] = bench.clock.now() + 300_000
    assert bench.worker.step() == Rest(0.3, wakes=True)


def test_an_outage_opens_the_breaker_uses_no_attempts_and_ends_with_one_probe(bench: Bench) -> None:
    bench.add(10)
    bench.sink.rule = _gone
    for _ in range(20):
        bench.step()
    assert bench.breaker == "open"
    assert bench.outbox.breakers[-1][1] == "no route to the destination; check the line"
    assert {row.attempts for row in bench.outbox.rows.values()} == {0}
    assert bench.outbox.claims[:3] == [4, 2, 1]
    assert set(bench.outbox.claims[3:]) == {1}
    bench.sink.rule = lambda _: None
    claims = len(bench.outbox.claims)
    for _ in range(12):
        bench.step()
    assert bench.breaker == "closed"
    assert bench.outbox.claims[claims:][:2] == [1, 2]
    assert set(bench.outbox.states.values()) == {"delivered"}


def test_waits_grow_to_a_minute_and_no_further(bench: Bench) -> None:
    bench.add(1)
    bench.sink.rule = _gone
    waits: list[float] = []
    for _ in range(9):
        before = bench.clock.monotonic()
        while not bench.worker.step().wakes and len(bench.sink.batches) == len(waits) + 1:
            bench.clock.advance(0.5)
        waits.append(bench.clock.monotonic() - before)
    assert waits[:3] == pytest.approx([1, 2, 4], abs=0.6)
    assert waits[-1] == pytest.approx(60, abs=0.6)


def test_the_destinations_own_wish_to_wait_is_honoured(bench: Bench) -> None:
    bench.add(1)

    def rule(_: Delivery) -> Answer:
        raise Unreachable("overloaded", retry_after=120)

    bench.sink.rule = rule
    bench.worker.step()
    bench.clock.advance(119)
    assert bench.worker.step().seconds == pytest.approx(1)


def test_misconfiguration_pauses_with_its_reason_then_looks_again_by_itself(bench: Bench) -> None:
    bench.add(6)
    bench.sink.rule = lambda _: Misconfigured("writing is not permitted")
    bench.step()
    assert bench.outbox.breakers[-1] == ("paused", "writing is not permitted")
    assert {row.attempts for row in bench.outbox.rows.values()} == {0}
    bench.sink.rule = lambda _: None
    for _ in range(6):
        bench.step()
    assert [state for state, _ in bench.outbox.breakers] == ["paused", "half-open", "closed"]
    assert set(bench.outbox.states.values()) == {"delivered"}


def test_faults_of_rows_leave_the_breaker_alone(bench: Bench) -> None:
    bench.add(8)
    bench.sink.rule = lambda _: RowFault("never")
    for _ in range(4):
        bench.step()
    assert set(bench.outbox.states.values()) == {"dead"}
    assert {state for state, _ in bench.outbox.breakers} <= {"closed"}


def test_an_unknown_error_tries_ten_times_then_buries_in_the_dead_letters(bench: Bench) -> None:
    bench.add(1)
    bench.sink.rule = _odd
    for _ in range(400):
        bench.step()
    assert bench.outbox.states == {1: "dead"}
    assert bench.outbox.rows[1].attempts == 10
    assert len(bench.sink.batches) == 10


@pytest.mark.parametrize(("answer", "standing"), [(Rejected("no"), "closed"), (RowFault("lost here"), "half-open")])
def test_a_probe_that_ends_as_a_dead_letter_leaves_no_breaker_half_open(
    bench: Bench, answer: Answer, standing: str
) -> None:
    bench.add(1)
    bench.open()
    bench.sink.rule = lambda _: answer
    while bench.outbox.states[1] == "pending":
        bench.step()
    assert bench.breaker == standing
    bench.step()
    assert bench.outbox.breakers[-1] == ("closed", "")


def test_a_breaker_closes_when_an_operator_has_emptied_the_queue(bench: Bench) -> None:
    bench.add(1)
    bench.sink.rule = lambda _: Misconfigured("writing is not permitted")
    rest = bench.worker.step()
    assert bench.breaker == "paused"
    bench.outbox.states[1] = "buried"
    bench.worker.step()
    assert bench.breaker == "paused", "it is not looked at before its time"
    bench.clock.advance(rest.seconds + 60)
    bench.worker.step()
    assert bench.outbox.breakers[-1] == ("closed", "")


def test_a_breaker_waits_half_open_for_a_row_that_is_not_due(bench: Bench) -> None:
    bench.add(1)
    bench.open()
    bench.sink.rule = lambda _: DeliveryError("odd")
    while not bench.outbox.rows[1].attempts:
        bench.step()
    bench.step()
    assert bench.breaker == "half-open"


@pytest.mark.parametrize(
    "trouble", [Unreachable("busy (500)", about_row=True), Misconfigured("SOP class (0122)", about_row=True)]
)
def test_one_object_that_always_meets_trouble_does_not_hold_the_sink(bench: Bench, trouble: DeliveryError) -> None:
    rows = [bench.make.object(str(n)) for n in range(1, 41)]
    bench.outbox.add(*rows)
    bad = rows[2].event_id

    def rule(row: Delivery) -> Answer:
        if row.event_id == bad:
            raise trouble  # of the whole batch, as a store does that fails over one of its objects
        return None

    bench.sink.rule = rule
    start = bench.clock.monotonic()
    for _ in range(300):
        bench.step()
        if list(bench.outbox.states.values()).count("pending") <= 1:
            break
    assert bench.clock.monotonic() - start < 30, "the others are through"
    for extra in range(100, 600):
        if bench.outbox.states[bad] != "pending":
            break
        bench.outbox.add(bench.make.object(str(extra)))
        bench.clock.advance(1)
        bench.step()
    assert bench.outbox.states.pop(bad) == "dead"
    assert bench.outbox.rows[bad].attempts == 10
    assert "for this row alone" in bench.outbox.reasons[bad]
    for _ in range(5):
        bench.step()
    assert set(bench.outbox.states.values()) == {"delivered"}
    assert {row.attempts for number, row in bench.outbox.rows.items() if number != bad} == {1}


@pytest.mark.parametrize("pace", [Pace(batch_rows=1), Pace(batch_rows=4, batch_bytes=10)], ids=["rows", "bytes"])
def test_one_object_that_always_meets_trouble_finds_company_in_the_smallest_batch(tmp_path: Path, pace: Pace) -> None:
    """Nobody can tell whose fault it is when it always comes alone, and then it would hold the others for ever."""
    bench = Bench(tmp_path, pace)
    rows = [bench.make.object(str(n)) for n in range(1, 61)]
    bench.outbox.add(*rows)
    bad = rows[2].event_id
    gone = Unreachable("busy (500)", about_row=True)
    bench.sink.rule = lambda row: gone if row.event_id == bad else None
    for extra in range(100, 900):
        if bench.outbox.states[bad] != "pending":
            break
        bench.outbox.add(bench.make.object(str(extra)))
        bench.clock.advance(1)
        bench.step()
    assert bench.outbox.states[bad] == "dead"
    assert {row.attempts for number, row in bench.outbox.rows.items() if number != bad} <= {0, 1}


def test_a_dead_destination_is_asked_by_one_row_at_a_time_each_of_another_series(bench: Bench) -> None:
    bench.add(10)
    bench.sink.rule = _gone
    for _ in range(40):
        bench.step()
    assert {row.attempts for row in bench.outbox.rows.values()} == {0}
    probes = [batch for batch in bench.sink.batches[3:] if len(batch) == 1]
    assert len(probes) == len(bench.sink.batches) - 3
    assert len(set(probes[:10])) == 10, "every series has its turn"
    assert bench.clock.monotonic() > 60 * len(probes) / 2


def test_a_lease_without_rows_is_no_empty_queue(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.outbox, "claim", lambda sink, **_: Lease("token", sink, ()))
    assert bench.worker.step() == Rest(0.0, wakes=False)


def test_the_reason_of_a_pause_is_not_logged(bench: Bench) -> None:
    """It is an operator's free text and may name a patient."""
    bench.outbox.reason = "Quagga^Zoe called"
    with structlog.testing.capture_logs() as lines:
        bench.worker.step()
    assert bench.worker.numbers.held == "Quagga^Zoe called"
    shown = [line for line in lines if line["log_level"] != "debug"]
    assert shown == [{"sink": "outbound", "event": "sink held", "log_level": "info"}]


def test_a_wall_clock_set_back_does_not_keep_a_sink_shut(bench: Bench) -> None:
    bench.add(1)
    bench.sink.rule = _gone
    bench.worker.step()
    bench.clock.step(-86_400)
    bench.clock.advance(2)
    assert bench.worker.step().seconds != 0 or len(bench.sink.batches) == 2


def test_a_settlement_the_disk_refuses_is_made_up_before_anything_else(bench: Bench) -> None:
    bench.add(2)
    bench.outbox.refusal = DiskFull("full")
    for _ in range(3):
        with pytest.raises(DiskFull):
            bench.worker.step()
    assert len(bench.sink.batches) == 1
    bench.outbox.refusal = None
    bench.worker.step()
    assert set(bench.outbox.states.values()) == {"delivered"}
    assert len(bench.sink.batches) == 1


def test_a_lost_lease_is_given_up(bench: Bench) -> None:
    bench.add(1)
    bench.outbox.refusal = LeaseLost("gone")
    bench.worker.step()
    bench.outbox.refusal = None
    bench.worker.step()
    assert bench.worker.numbers.delivered == 0


class Running:
    """A worker in a thread of its own, with the real clock."""

    def __init__(self, directory: Path) -> None:
        self.clock = SystemClock()
        self.outbox = FakeOutbox(self.clock)
        self.sink = ScriptedSink()
        self.make = Deliveries(directory)
        pace = Pace(poll_seconds=30)
        self.worker = Worker(
            "outbound", self.sink, self.outbox, self.clock, pace, RetryPolicy(), lambda: 0.0, unlimited(self.clock)
        )
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.worker.run(self.stop)
        except ArchiveFailed as error:
            self.error = error


def test_a_new_event_wakes_the_worker_long_before_the_poll_time(tmp_path: Path) -> None:
    running = Running(tmp_path)
    running.thread.start()
    try:
        wait_until(lambda: running.outbox.looks)
        running.outbox.add(running.make.state())
        wait_until(lambda: running.sink.delivered == [1], 5)
    finally:
        running.stop.set()
        running.thread.join(5)
    assert running.sink.closed


def test_stopping_finishes_the_batch_in_hand(tmp_path: Path) -> None:
    running = Running(tmp_path)
    entered, leave = threading.Event(), threading.Event()

    def rule(_: Delivery) -> Answer:
        entered.set()
        assert leave.wait(5)
        return None

    running.sink.rule = rule
    running.outbox.add(running.make.state())
    running.thread.start()
    assert entered.wait(5)
    running.stop.set()
    leave.set()
    running.thread.join(5)
    assert running.outbox.states == {1: "delivered"}


def test_a_failed_archive_ends_the_worker(tmp_path: Path) -> None:
    running = Running(tmp_path)
    running.outbox.add(running.make.state())
    running.outbox.refusal = ArchiveFailed("fsync failed")
    running.thread.start()
    running.thread.join(5)
    assert isinstance(running.error, ArchiveFailed)


def test_a_defect_in_a_round_does_not_end_the_service(tmp_path: Path) -> None:
    running = Running(tmp_path)
    running.outbox.add(running.make.state())
    running.outbox.refusal = RuntimeError("defect")
    running.thread.start()
    wait_until(lambda: running.sink.delivered == [1])
    running.outbox.refusal = None
    wait_until(lambda: running.outbox.states == {1: "delivered"}, 10)
    running.stop.set()
    running.thread.join(5)


def test_a_restart_keeps_the_standing_that_was_recorded_until_the_destination_is_heard_of(bench: Bench) -> None:
    bench.add(1)
    bench.sink.rule = _gone
    for _ in range(4):
        bench.step()
    assert bench.outbox.breakers == []
    for _ in range(12):
        bench.step()
    assert bench.outbox.breakers[0][0] == "open"


def test_a_restart_with_an_empty_queue_ends_the_standing_that_was_recorded(bench: Bench) -> None:
    bench.step()
    assert bench.outbox.breakers == [("closed", "")]


def test_the_first_delivery_after_a_restart_says_that_the_line_is_back(bench: Bench) -> None:
    bench.add(1)
    bench.step()
    assert bench.outbox.breakers == [("closed", "")]
