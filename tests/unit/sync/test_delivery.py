"""A sink's answers become outcomes; poisoned rows are found; order within a series holds."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.archive.outbox import Delivery, Outcome, Verdict
from appliance.errors import DeliveryError
from appliance.sync.delivery import HELD_BACK, Courier, Report
from appliance.sync.retry import RetryPolicy
from appliance.sync.sinks.contract import Answer, Misconfigured, Rejected, RowFault, Unreachable
from tests.builders.deliveries import Deliveries
from tests.unit.sync.scripted_sink import ScriptedSink

NOW = 1_700_000_000_000_000


@pytest.fixture
def make(tmp_path: Path) -> Deliveries:
    return Deliveries(tmp_path)


def _carry(sink: ScriptedSink, rows: list[Delivery], policy: RetryPolicy | None = None) -> Report:
    return Courier(sink, policy or RetryPolicy(), lambda: 0.5).carry(rows, NOW)


def _verdicts(report: Report) -> dict[int, str]:
    return {outcome.event_id: outcome.verdict.value for outcome in report.outcomes}


def _raise(error: Exception) -> Answer:
    raise error


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (None, "delivered"),
        (Unreachable("no route"), "wait"),
        (Misconfigured("no permission"), "wait"),
        (RowFault("unreadable here"), "dead"),
        (Rejected("too big"), "dead"),
        (DeliveryError("odd"), "failed"),
    ],
)
def test_each_kind_of_answer_has_its_verdict(make: Deliveries, answer: Answer, verdict: str) -> None:
    report = _carry(ScriptedSink(lambda _: answer), [make.state()])
    assert _verdicts(report) == {1: verdict}
    assert report.reached == (answer is None or isinstance(answer, Rejected))


def test_connectivity_raised_for_the_batch_waits_untried_and_untouched(make: Deliveries) -> None:
    rows = [make.state(str(n)) for n in range(8)]
    sink = ScriptedSink(lambda _: _raise(Unreachable("no route", retry_after=7)))
    report = _carry(sink, rows)
    assert set(_verdicts(report).values()) == {"wait"}
    assert len(sink.batches) == 1
    assert isinstance(report.obstacle, Unreachable)
    assert report.obstacle.retry_after == 7


@pytest.mark.parametrize("fault", [RowFault("record list too large"), DeliveryError("odd"), KeyError("boom")])
def test_a_batch_that_one_row_spoils_is_split_down_to_it(make: Deliveries, fault: Exception) -> None:
    rows = [make.image(str(n)) for n in range(50)]
    poisoned = rows[31].event_id
    report = _carry(ScriptedSink(lambda row: _raise(fault) if row.event_id == poisoned else None), rows)
    verdicts = _verdicts(report)
    assert verdicts.pop(poisoned) == ("dead" if isinstance(fault, RowFault) else "failed")
    assert set(verdicts.values()) == {"delivered"}
    assert report.reached
    assert report.obstacle is None


def test_an_unknown_error_dies_at_the_tenth_attempt(make: Deliveries) -> None:
    sink = ScriptedSink(lambda _: _raise(ValueError("odd")))
    assert _verdicts(_carry(sink, [make.state(attempts=8)])) == {1: "failed"}
    assert _verdicts(_carry(sink, [make.state(attempts=9)])) == {2: "dead"}


def test_a_failed_row_waits_with_full_jitter(make: Deliveries) -> None:
    report = _carry(ScriptedSink(lambda _: DeliveryError("odd")), [make.state(attempts=3)])
    assert report.outcomes == [Outcome(1, Verdict.FAILED, "odd", NOW + 4_000_000)]


def test_a_row_without_an_answer_has_failed(make: Deliveries) -> None:
    class Forgetful(ScriptedSink):
        def deliver(self, batch: object) -> dict[int, Answer]:
            return {}

    assert _verdicts(_carry(Forgetful(), [make.state()])) == {1: "failed"}


def test_an_error_of_unknown_kind_does_not_leak_its_text(make: Deliveries) -> None:
    report = _carry(ScriptedSink(lambda _: _raise(ValueError("Doe^Jane"))), [make.state()])
    assert "Doe" not in report.outcomes[0].reason
    assert report.outcomes[0].reason.startswith("unexpected ValueError at ")


def test_an_unfinished_row_holds_back_the_untried_rows_of_its_series_only(make: Deliveries) -> None:
    rows = [make.state("1"), make.state("2"), make.state("1"), make.state("2")]
    bad = rows[0].event_id
    report = _carry(ScriptedSink(lambda row: _raise(ValueError()) if row.event_id == bad else None), rows)
    assert _verdicts(report) == {1: "failed", 2: "delivered", 3: "wait", 4: "delivered"}
    assert [o.reason for o in report.outcomes if o.event_id == 3] == [HELD_BACK]


def test_a_dead_row_does_not_block_newer_state(make: Deliveries) -> None:
    rows = [make.state("1"), make.state("1")]
    report = _carry(ScriptedSink(lambda row: _raise(RowFault("no")) if row.event_id == 1 else None), rows)
    assert _verdicts(report) == {1: "dead", 2: "delivered"}


def test_after_an_obstacle_nothing_more_is_tried(make: Deliveries) -> None:
    rows = [make.state(str(n)) for n in range(4)]

    def rule(row: Delivery) -> Answer:
        if row.event_id == 1:
            raise RowFault("spoils")
        raise Unreachable("gone")

    sink = ScriptedSink(rule)
    report = _carry(sink, rows)
    assert _verdicts(report) == {1: "dead", 2: "wait", 3: "wait", 4: "wait"}
    assert sink.batches == [(1, 2, 3, 4), (1, 2), (1,), (2,)]


@pytest.mark.parametrize("fault", [DeliveryError("odd"), Unreachable("busy")])
@pytest.mark.parametrize("kind", ["state", "image"])
def test_what_overtook_an_unfinished_record_of_its_series_is_sent_again(
    make: Deliveries, kind: str, fault: DeliveryError
) -> None:
    rows = [make.state("1", kind=kind), make.state("2", kind=kind), make.state("1", kind=kind)]
    report = _carry(ScriptedSink(lambda row: fault if row.event_id == 1 else None), rows)
    first = "failed" if type(fault) is DeliveryError else "wait"
    assert _verdicts(report) == {1: first, 2: "delivered", 3: "wait"}
    assert report.outcomes[2].reason == HELD_BACK
    assert report.reached


def test_objects_and_other_kinds_do_not_wait_for_one_that_they_overtook(make: Deliveries) -> None:
    rows = [make.object("1", "1"), make.object("1", "2"), make.image("1", "2"), make.state("1")]
    report = _carry(ScriptedSink(lambda row: DeliveryError("odd") if row.event_id == 1 else None), rows)
    assert _verdicts(report) == {1: "failed", 2: "delivered", 3: "delivered", 4: "delivered"}


def test_records_behind_a_failed_one_go_on_when_it_is_dead(make: Deliveries) -> None:
    rows = [make.state("1", attempts=9), make.state("1")]
    report = _carry(ScriptedSink(lambda row: DeliveryError("odd") if row.event_id == 1 else None), rows)
    assert _verdicts(report) == {1: "dead", 2: "delivered"}


class Suspected:
    """A courier that suspects the series "1", because its first row failed alone."""

    def __init__(self, make: Deliveries, rule: Callable[[Delivery], Answer]) -> None:
        self.sink = ScriptedSink(rule)
        self.courier = Courier(self.sink, RetryPolicy(), lambda: 0.5)
        self.bad = make.object("1")
        self.courier.carry([self.bad], NOW)
        self.sink.batches.clear()

    def carry(self, *rows: Delivery) -> Report:
        return self.courier.carry(rows, NOW)


def _own_trouble(row: Delivery) -> Answer:
    return Unreachable("busy (500)", about_row=True) if row.series_uid.endswith(".1") else None


def test_a_row_that_fails_alone_while_others_get_through_is_at_fault_itself(make: Deliveries) -> None:
    suspected = Suspected(make, _own_trouble)
    other, behind = make.object("2"), make.object("1", "2")
    report = suspected.carry(other, suspected.bad, behind)
    assert suspected.sink.batches == [(1,), (2,)], "first, by itself, and nothing of its series in company"
    assert _verdicts(report) == {1: "failed", 2: "delivered", 3: "wait"}
    assert report.outcomes[-1].reason == "busy (500), for this row alone: others get through"
    assert (report.reached, report.obstacle) == (True, None)
    report = suspected.carry(replace(suspected.bad, attempts=9), make.object("2"))
    assert _verdicts(report) == {1: "dead", 4: "delivered"}
    assert not suspected.courier.suspects


def test_a_row_nobody_spoke_about_waits_longer_and_longer_but_counts_nothing(make: Deliveries) -> None:
    def rule(row: Delivery) -> Answer:
        return Unreachable("no leader") if row.series_uid.endswith(".1") else None

    suspected = Suspected(make, rule)
    for wait in (0.5, 1, 2):
        report = suspected.carry(suspected.bad, make.object("2"))
        assert report.obstacle is None
        (found,) = [outcome for outcome in report.outcomes if outcome.event_id == 1]
        assert (found.verdict, found.not_before) == (Verdict.WAIT, NOW + round(wait * 1_000_000))


def test_the_destinations_own_wish_to_wait_is_never_held_against_a_row(make: Deliveries) -> None:
    def rule(row: Delivery) -> Answer:
        gone = Unreachable("busy", retry_after=30, about_row=True)
        return gone if row.series_uid.endswith(".1") else None

    suspected = Suspected(make, rule)
    report = suspected.carry(suspected.bad, make.object("2"))
    assert [(o.verdict, o.not_before) for o in report.outcomes if o.event_id == 1] == [(Verdict.WAIT, NOW + 30_000_000)]


@pytest.mark.parametrize("kind", ["object", "image"])
def test_only_another_of_its_kind_proves_a_row_guilty(make: Deliveries, kind: str) -> None:
    """A record may pass where no object does: a right that is missing for one topic is no fault of its rows."""
    suspected = Suspected(make, lambda row: None if row.kind == "image" else Unreachable("gone", about_row=True))
    report = suspected.carry(suspected.bad, make.object("2") if kind == "object" else make.image("2"))
    assert _verdicts(report) == {1: "wait", 2: "wait" if kind == "object" else "delivered"}
    assert report.obstacle is not None
    assert len(suspected.sink.batches) == 2, "a dead destination is asked twice at most"


def test_a_suspect_that_gets_through_is_none(make: Deliveries) -> None:
    suspected = Suspected(make, lambda row: Unreachable("gone"))
    suspected.sink.rule = lambda _: None
    report = suspected.carry(suspected.bad, make.object("2"))
    assert set(_verdicts(report).values()) == {"delivered"}
    assert not suspected.courier.suspects


KINDS = ["ok", "row", "raise-row", "odd", "raise-odd", "gone", "raise-gone", "wrong"]


def _rule(kind: str) -> Answer:
    answers: dict[str, DeliveryError | Exception | None] = {
        "ok": None, "row": RowFault("r"), "raise-row": RowFault("r"), "odd": DeliveryError("o"),
        "raise-odd": OSError(5, "x"), "gone": Unreachable("g"), "raise-gone": Unreachable("g"),
        "wrong": Misconfigured("w"),
    }  # fmt: skip
    answer = answers[kind]
    if kind.startswith("raise"):
        assert answer is not None
        raise answer
    assert answer is None or isinstance(answer, DeliveryError)
    return answer


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=24), seed=st.integers())
def test_every_row_gets_exactly_one_outcome_and_none_is_lost(make: Deliveries, kinds: list[str], seed: int) -> None:
    chosen = random.Random(seed)
    rows = [make.state(str(chosen.randrange(4))) for _ in kinds]
    by_id = {row.event_id: kind for row, kind in zip(rows, kinds, strict=True)}
    sink = ScriptedSink(lambda row: _rule(by_id[row.event_id]))
    report = _carry(sink, rows)
    verdicts = _verdicts(report)
    assert len(report.outcomes) == len(rows)
    assert set(verdicts) == set(by_id)
    for number, verdict in verdicts.items():
        assert verdict != "delivered" or (by_id[number] == "ok" and number in sink.delivered)
        assert verdict != "dead" or by_id[number] in ("row", "raise-row")
        assert verdict != "failed" or by_id[number] in ("odd", "raise-odd")
