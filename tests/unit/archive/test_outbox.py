"""The outbox: leases, tokens, order within a series, and what an operator can change."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest

from appliance.archive.outbox import CLAIMABLE, Lease, LeaseLost, Outcome, Verdict
from appliance.archive.outbox_desk import REPLAYED, RETRIED
from appliance.archive.room import Archive
from appliance.errors import NotFound
from appliance.model.records import ConflictPolicy
from appliance.model.routes import NEWEST, PriorityRule, Route, Selection
from tests.archives import new_archive, sender
from tests.builders.backlog import ROOT, add_rows
from tests.builders.instances import ct, part10, series
from tests.clocks import FakeClock

SINK = "outbound"


def fill(archive: Archive, count: int = 1, **overrides: object) -> None:
    for dataset in series(count, **overrides):
        archive.ingest.receive_file(BytesIO(part10(dataset)), sender())


def claim(archive: Archive, rows: int = 100, bytes_: int = 1 << 30, sink: str = SINK) -> Lease:
    lease = archive.outbox.claim(sink, rows=rows, bytes_=bytes_, lease_seconds=60)
    assert lease is not None
    return lease


def settle_all(archive: Archive, lease: Lease, verdict: Verdict = Verdict.DELIVERED, **more: object) -> int:
    return archive.outbox.settle(lease, [Outcome(d.event_id, verdict, **more) for d in lease.deliveries])  # type: ignore[arg-type]


def test_rows_are_handed_out_once_in_order_and_settled(archive: Archive) -> None:
    fill(archive, 2)
    lease = claim(archive)
    assert [d.kind for d in lease.deliveries] == ["state", "image", "object", "image", "object"]
    assert archive.outbox.claim(SINK, rows=10, bytes_=1, lease_seconds=60) is None
    assert settle_all(archive, lease) == 5
    stats = archive.outbox.stats()[SINK]
    assert (stats.pending, stats.leased, stats.delivered, stats.dead) == (0, 0, 5, 0)
    assert stats.oldest_seconds == 0


def test_a_delivered_object_is_in_the_custody_ledger(archive: Archive) -> None:
    fill(archive)
    lease = claim(archive)
    settle_all(archive, lease)
    sop_uid = lease.deliveries[-1].sop_uid
    assert sop_uid is not None
    assert [line["party"] for line in archive.custody.of(sop_uid) if line["fact"] == "delivered"] == [SINK]
    assert archive.custody.delivered(lease.deliveries[-1].study_uid) == {SINK: 1}


def test_an_expired_lease_is_handed_out_again_and_its_old_token_settles_nothing(
    archive: Archive, clock: FakeClock
) -> None:
    fill(archive)
    old = claim(archive)
    clock.advance(61)
    new = claim(archive)
    assert [d.event_id for d in new.deliveries] == [d.event_id for d in old.deliveries]
    with pytest.raises(LeaseLost):
        settle_all(archive, old)
    assert settle_all(archive, new) == 3


def test_an_extended_lease_is_not_handed_out(archive: Archive, clock: FakeClock) -> None:
    fill(archive)
    lease = claim(archive)
    clock.advance(50)
    archive.outbox.extend(lease, 60)
    clock.advance(50)
    assert archive.outbox.claim(SINK, rows=10, bytes_=1, lease_seconds=60) is None
    assert settle_all(archive, lease) == 3


def test_released_leases_are_free_at_once(archive: Archive) -> None:
    fill(archive)
    claim(archive)
    assert archive.outbox.release_all(SINK) == 3
    assert len(claim(archive).deliveries) == 3


def test_bytes_bound_a_lease_but_never_the_first_row(archive: Archive) -> None:
    fill(archive, 4)
    assert [d.kind for d in claim(archive, bytes_=1).deliveries] == ["state"]


def test_a_waiting_row_holds_back_its_series_and_no_other(archive: Archive, clock: FakeClock) -> None:
    fill(archive, 2)
    fill(archive, 1)
    lease = claim(archive, rows=1)
    later = clock.now() + 30_000_000
    archive.outbox.settle(lease, [Outcome(lease.deliveries[0].event_id, Verdict.WAIT, "away", later)])
    others = claim(archive)
    assert {d.series_uid for d in others.deliveries}.isdisjoint({lease.deliveries[0].series_uid})
    assert len(others.deliveries) == 3
    assert archive.outbox.next_due(SINK) == later
    clock.advance(31)
    assert len(claim(archive).deliveries) == 5


def test_a_leased_row_holds_back_its_series(archive: Archive) -> None:
    fill(archive, 2)
    claim(archive, rows=1)
    assert archive.outbox.claim(SINK, rows=10, bytes_=1, lease_seconds=60) is None


def test_a_dead_row_does_not_hold_back_its_series(archive: Archive) -> None:
    fill(archive)
    lease = claim(archive, rows=1)
    settle_all(archive, lease, Verdict.DEAD, reason="refused")
    assert [d.kind for d in claim(archive).deliveries] == ["image", "object"]
    assert archive.outbox.stats()[SINK].dead == 1


def test_invariant_10_waiting_counts_no_attempt_and_failing_does(archive: Archive) -> None:
    fill(archive)
    for verdict, attempts in ((Verdict.WAIT, 0), (Verdict.FAILED, 1), (Verdict.WAIT, 1), (Verdict.FAILED, 2)):
        settle_all(archive, claim(archive, rows=1), verdict)
        assert archive.outbox.list(SINK)[0]["attempts"] == attempts


def test_retry_revives_the_dead_with_no_attempts_counted(archive: Archive) -> None:
    fill(archive)
    settle_all(archive, claim(archive), Verdict.DEAD, reason="refused")
    assert archive.outbox.retry(sink=SINK) == 3
    assert next((d.attempts, d.kind) for d in claim(archive).deliveries) == (0, "state")


def test_bury_needs_numbers_and_keeps_the_reason(archive: Archive) -> None:
    fill(archive)
    number = archive.outbox.list(SINK)[0]["event_id"]
    assert archive.outbox.bury([number], reason="test pattern") == 1
    assert archive.outbox.list(SINK, "buried")[0]["reason"] == "test pattern"
    assert archive.outbox.retry(sink=SINK) == 2


def test_replay_sends_a_study_once_more(archive: Archive) -> None:
    fill(archive)
    fill(archive)
    lease = claim(archive)
    settle_all(archive, lease)
    study_uid = lease.deliveries[0].study_uid
    assert archive.outbox.replay(study_uid=study_uid) == 3
    assert {d.study_uid for d in claim(archive).deliveries} == {study_uid}


def test_invariant_5_every_sink_has_its_own_pace(archive: Archive) -> None:
    archive.outbox.register([Route(SINK), Route("second")])
    fill(archive)
    settle_all(archive, claim(archive, sink="second"))
    stats = archive.outbox.stats()
    assert (stats[SINK].pending, stats["second"].pending) == (3, 0)


def test_a_new_sink_is_given_everything_the_box_holds(archive: Archive) -> None:
    fill(archive, 2)
    archive.outbox.register([Route(SINK), Route("late")])
    archive.outbox.register([Route(SINK), Route("late")])
    assert archive.outbox.stats()["late"].pending == 5


def test_a_sink_that_was_away_catches_up(archive: Archive) -> None:
    archive.outbox.register([])
    fill(archive)
    assert archive.outbox.stats()[SINK].pending == 0
    archive.outbox.register([Route(SINK)])
    assert archive.outbox.stats()[SINK].pending == 3


def test_a_state_record_already_handed_out_is_followed_by_another(archive: Archive) -> None:
    first, second = series(2)
    archive.ingest.receive_file(BytesIO(part10(first)), sender())
    lease = claim(archive)
    archive.ingest.receive_file(BytesIO(part10(second)), sender())
    settle_all(archive, lease)
    assert [d.kind for d in claim(archive).deliveries] == ["state", "image", "object"]


def test_the_breaker_remembers_since_when(archive: Archive, clock: FakeClock) -> None:
    archive.outbox.breaker(SINK, "open", "connection refused")
    since = clock.now()
    for state in ("half-open", "open"):
        clock.advance(5)
        archive.outbox.breaker(SINK, state, "timed out")
    stats = archive.outbox.stats()[SINK]
    assert (stats.breaker, stats.reason, stats.since) == ("open", "timed out", since)
    archive.outbox.breaker(SINK, "closed", "")
    assert archive.outbox.stats()[SINK].since == clock.now()


def test_an_unknown_event_is_not_found(archive: Archive) -> None:
    with pytest.raises(NotFound):
        archive.outbox.show(99)


def test_claims_survive_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    first = new_archive(tmp_path / "home", clock)
    first.ingest.receive_file(BytesIO(part10(ct())), sender())
    lease = claim(first)
    first.close()
    second = new_archive(tmp_path / "home", clock)
    assert settle_all(second, lease) == 3
    second.close()


def test_the_claim_uses_the_partial_indexes(archive: Archive) -> None:
    with archive.database.read() as cx:
        plan = cx.execute(
            f"EXPLAIN QUERY PLAN {CLAIMABLE}",
            {"sink": SINK, "now": 0, "horizon": 1, "rows": 1, "avoid": "", "turn": ""},
        ).fetchall()
    text = "\n".join(row["detail"] for row in plan)
    assert "delivery_unfinished" in text
    assert "SEARCH d USING INDEX delivery_claim" in text
    assert "SCAN" not in text


def test_old_content_is_never_sent_after_new(archive: Archive) -> None:
    dataset = ct(PatientID="OLD")
    archive.ingest.receive_file(BytesIO(part10(dataset)), sender())
    settle_all(archive, claim(archive), Verdict.DEAD, reason="refused")
    dataset.PatientID = "NEW"
    archive.ingest.receive_file(BytesIO(part10(dataset)), sender(policy=ConflictPolicy.NEWEST))
    settle_all(archive, claim(archive))
    assert archive.outbox.retry(sink=SINK) == 0
    assert archive.outbox.left_out(RETRIED, sink=SINK) == {
        "newer content of the same object took its place": 2, "the sink has a newer state of the same series": 1
    }  # fmt: skip
    assert archive.outbox.replay(sink=SINK) == 3
    sent = {d.payload for d in claim(archive).deliveries if d.kind == "image"}
    assert len(sent) == 1


def test_a_filter_keeps_other_modalities_away(archive: Archive) -> None:
    archive.outbox.register([Route("ct", selection=Selection(modalities=("CT",))), Route("mr", kinds=("object",))])
    fill(archive, Modality="CT")
    fill(archive, Modality="MR")
    stats = archive.outbox.stats()
    assert (stats["ct"].pending, stats["mr"].pending) == (3, 2)


def test_a_widened_filter_catches_up(archive: Archive) -> None:
    archive.outbox.register([Route(SINK, selection=Selection(modalities=("CT",)))])
    fill(archive, Modality="MR")
    assert archive.outbox.stats()[SINK].pending == 0
    archive.outbox.register([Route(SINK)])
    assert archive.outbox.stats()[SINK].pending == 3


def test_priorities_go_first_and_series_stay_in_order(archive: Archive) -> None:
    rule = PriorityRule(Selection(ae_titles=("ER",)), 0)
    archive.outbox.register([Route(SINK, priorities=(rule,))])
    fill(archive, 2)
    for dataset in series(2):
        archive.ingest.receive_file(BytesIO(part10(dataset)), sender("ER"))
    kinds = [(d.source_ae, d.kind) for d in claim(archive).deliveries]
    assert [kind for _, kind in kinds] == ["state", "image", "object", "image", "object"] * 2
    assert [name for name, kind in kinds if kind == "object"] == ["ER", "ER", "CT1", "CT1"]


def test_a_rule_about_age_counts_from_the_study_date(archive: Archive) -> None:
    archive.outbox.register([Route(SINK, priorities=(PriorityRule(Selection(), 9, older_than_days=30),))])
    fill(archive, StudyDate="20200101")
    fill(archive, StudyDate="20231110")  # the clock of these tests stands at 2023-11-14
    dates = [d.payload for d in claim(archive).deliveries if d.kind == "state"]
    assert "2023-11-10" in dates[0]
    assert "2020-01-01" in dates[1]


def test_newest_study_first(archive: Archive, clock: FakeClock) -> None:
    archive.outbox.register([Route(SINK, order=NEWEST)])
    studies = []
    for _ in range(3):
        dataset = ct()
        archive.ingest.receive_file(BytesIO(part10(dataset)), sender())
        studies.append(str(dataset.StudyInstanceUID))
        clock.advance(60)
    assert [d.study_uid for d in claim(archive).deliveries if d.kind == "object"] == studies[::-1]


def test_a_hurried_study_overtakes_the_queue(archive: Archive) -> None:
    fill(archive, 2)
    dataset = ct()
    archive.ingest.receive_file(BytesIO(part10(dataset)), sender())
    assert archive.outbox.hurry(str(dataset.StudyInstanceUID)) == 3
    archive.ingest.receive_file(BytesIO(part10(ct(SeriesInstanceUID=dataset.SeriesInstanceUID,
                                                  StudyInstanceUID=dataset.StudyInstanceUID))), sender())  # fmt: skip
    lease = claim(archive, rows=5)
    assert {d.study_uid for d in lease.deliveries} == {str(dataset.StudyInstanceUID)}


def test_a_hold_is_remembered_with_its_reason(archive: Archive) -> None:
    archive.outbox.hold(SINK, "line is being moved")
    assert archive.outbox.held(SINK) == archive.outbox.stats()[SINK].held == "line is being moved"
    archive.outbox.register([Route(SINK)])
    assert archive.outbox.held(SINK), "a restart does not end it"
    archive.outbox.release_hold(SINK)
    assert archive.outbox.held(SINK) == ""
    with pytest.raises(NotFound):
        archive.outbox.hold("nowhere", "x")


def test_delivered_objects_wait_for_proof_where_it_is_asked_for(archive: Archive, clock: FakeClock) -> None:
    archive.outbox.register([Route(SINK, proof=True)])
    fill(archive, 2)
    lease = claim(archive)
    settle_all(archive, lease)
    first, second = archive.proofs.due(SINK, 10)
    assert first.kind == "object" and first.blob is not None
    archive.proofs.prove(SINK, first.event_id, "read back")
    archive.proofs.postpone(SINK, second.event_id, clock.now() + 1_000_000)
    assert archive.proofs.due(SINK, 10) == []
    clock.advance(2)
    assert archive.proofs.count(SINK) == 1
    archive.proofs.refute(SINK, second.event_id, "not there", resend=True)
    assert archive.proofs.count(SINK) == 0
    assert [d.event_id for d in claim(archive).deliveries] == [second.event_id]
    assert first.sop_uid is not None
    assert [x["fact"] for x in archive.custody.of(first.sop_uid)] == ["received", "delivered", "proven"]


def test_hurrying_keeps_the_order_of_a_series_that_is_under_way(archive: Archive, clock: FakeClock) -> None:
    fill(archive, 2)
    lease = claim(archive, rows=2)
    archive.outbox.hurry(lease.deliveries[0].study_uid)
    settle_all(archive, lease, Verdict.WAIT)
    assert [d.event_id for d in claim(archive).deliveries] == [1, 2, 3, 4, 5]


def test_an_unchanged_sink_is_not_looked_through_at_every_start(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(archive)
    asked: list[str] = []
    monkeypatch.setattr("appliance.archive.filling.start", lambda _cx, sink: asked.append(sink))
    archive.outbox.register([Route(SINK)])
    assert asked == []
    archive.outbox.register([Route(SINK, kinds=("object",))])
    assert asked == [SINK]


def states(archive: Archive, count: int) -> list[int]:
    """Let a series grow by `count` images, each with a delivered state of its own; return the states' numbers."""
    for dataset in series(count):
        archive.ingest.receive_file(BytesIO(part10(dataset)), sender())
        settle_all(archive, claim(archive))
    return [row["event_id"] for row in archive.outbox.list(SINK) if row["kind"] == "state"]


def test_an_old_state_is_not_sent_after_a_newer_one(archive: Archive) -> None:
    old, newest = states(archive, 2)
    assert archive.outbox.replay([old]) == 0
    assert archive.outbox.left_out(REPLAYED, [old]) == {"the sink has a newer state of the same series": 1}
    assert archive.outbox.replay() == 5
    assert [d.event_id for d in claim(archive).deliveries if d.kind == "state"] == [newest]
    assert archive.outbox.left_out(REPLAYED, [newest]) == {}


def test_a_dead_state_is_not_revived_after_a_newer_one(archive: Archive) -> None:
    first, second = series(2)
    archive.ingest.receive_file(BytesIO(part10(first)), sender())
    settle_all(archive, claim(archive), Verdict.DEAD, reason="refused")
    archive.ingest.receive_file(BytesIO(part10(second)), sender())
    assert archive.outbox.retry([1], sink=SINK) == 0
    assert archive.outbox.left_out(RETRIED, [1]) == {"the sink has a newer state of the same series": 1}
    assert archive.outbox.left_out(RETRIED, [1], sink="another") == {}


def test_a_newer_state_of_another_series_holds_nothing_back(archive: Archive) -> None:
    fill(archive)
    settle_all(archive, claim(archive), Verdict.DEAD, reason="refused")
    fill(archive)
    settle_all(archive, claim(archive))
    assert archive.outbox.retry(sink=SINK) == 3


def test_a_state_that_is_brought_up_to_date_begins_without_attempts(archive: Archive, clock: FakeClock) -> None:
    first, second = series(2)
    archive.ingest.receive_file(BytesIO(part10(first)), sender())
    later = clock.now() + 30_000_000
    settle_all(archive, claim(archive, rows=1), Verdict.FAILED, reason="odd", not_before=later)
    archive.ingest.receive_file(BytesIO(part10(second)), sender())
    state = archive.outbox.list(SINK)[0]
    assert (state["attempts"], state["not_before"]) == (0, later)


def test_burying_what_is_superseded_is_done_in_bounded_steps(archive: Archive) -> None:
    datasets = list(series(4))
    for policy, patient in ((ConflictPolicy.ASK, "OLD"), (ConflictPolicy.NEWEST, "NEW")):
        for dataset in datasets:
            dataset.PatientID = patient
            archive.ingest.receive_file(BytesIO(part10(dataset)), sender(policy=policy))
    sizes = []
    while lease := archive.outbox.claim(SINK, rows=3, bytes_=1 << 30, lease_seconds=60):
        buried = archive.outbox.stats()[SINK].buried
        sizes.append((len(lease.deliveries), buried))
        settle_all(archive, lease)
    assert all(b - a <= 3 for (_, a), (_, b) in pairwise([(0, 0), *sizes]))
    assert (0, 5) in sizes, "a lease without rows: there may be more"
    assert sizes[-1][1] == 8
    assert archive.outbox.stats()[SINK].pending == 0


def test_of_series_that_are_avoided_only_the_first_row_of_one_is_handed_out(archive: Archive) -> None:
    for _ in range(3):
        fill(archive)
    lease = claim(archive)
    one, two, three = dict.fromkeys(d.series_key for d in lease.deliveries)
    archive.outbox.release_all(SINK)
    take = partial(archive.outbox.claim, SINK, rows=100, bytes_=1 << 30, lease_seconds=60)
    rest = take(avoid=(one, two))
    assert rest is not None
    assert {d.series_key for d in rest.deliveries} == {three}
    assert take(avoid=(one, two)) is None
    first = take(avoid=(one, two), turn=two)
    assert first is not None
    assert [(d.series_key, d.kind) for d in first.deliveries] == [(two, "state")]
    assert take(avoid=(one, two), turn=two) is None, "it is not finished"
    settle_all(archive, first)
    second = take(avoid=(one, two), turn=two)
    assert second is not None
    assert [d.kind for d in second.deliveries] == ["image"]


def test_the_first_row_of_a_turn_leaves_room_for_others_however_large_it_is(archive: Archive) -> None:
    fill(archive)
    fill(archive)
    settle_all(archive, claim(archive, rows=2))
    one = claim(archive, rows=1).deliveries[0]
    archive.outbox.release_all(SINK)
    lease = archive.outbox.claim(SINK, rows=9, bytes_=1, lease_seconds=60, avoid=[one.series_key], turn=one.series_key)
    assert lease is not None
    assert [d.kind for d in lease.deliveries] == ["object", "state"]


def test_a_long_series_that_is_avoided_costs_a_claim_little(tmp_path: Path) -> None:
    """The doors wait while a claim looks: what it looks at must not grow with the square of a series."""
    with closing(new_archive(tmp_path / "home")) as archive:
        add_rows(archive, 1000, per_series=1000)
        key = f"{ROOT}.0/{ROOT}.0.1"
        horizon = archive.clock.now() + 1_000_000
        for turn, found in (("", 0), (key, 1)):
            ticks: list[int] = []
            values = {"sink": SINK, "now": horizon, "horizon": horizon, "rows": 200, "avoid": f" {key} ", "turn": turn}
            with archive.database.read() as cx:
                cx.set_progress_handler(partial(ticks.append, 0), 100)
                assert len(cx.execute(CLAIMABLE, values).fetchall()) == found
                cx.set_progress_handler(None, 100)
            assert len(ticks) < 1000, "100,000 steps of the database's machine for 1000 rows"
