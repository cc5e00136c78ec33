"""A sink whose route changes: what it misses is queued, what it does not want is buried, in bounded steps."""

from __future__ import annotations

from collections import Counter
from io import BytesIO

import pytest

from appliance.archive import filling
from appliance.archive.outbox import Lease, LeaseLost, Outcome, Verdict
from appliance.archive.outbox_desk import NOT_TAKEN
from appliance.archive.room import Archive
from appliance.model.routes import Route, Selection
from tests.archives import SINK, sender
from tests.builders.instances import ct, part10

CT_ONLY = Selection(modalities=("CT",))


def store(archive: Archive, *modalities: str) -> None:
    """Store one object each: three events."""
    for modality in modalities:
        archive.ingest.receive_file(BytesIO(part10(ct(Modality=modality))), sender())


def rows(archive: Archive, sink: str = SINK) -> Counter[tuple[str, str]]:
    """How many deliveries there are by state and kind."""
    return Counter((row["state"], row["kind"]) for row in archive.outbox.list(sink, limit=10_000))


def claim(archive: Archive) -> Lease:
    lease = archive.outbox.claim(SINK, rows=10_000, bytes_=1 << 40, lease_seconds=60)
    assert lease is not None
    return lease


def deliver(archive: Archive) -> None:
    lease = claim(archive)
    archive.outbox.settle(lease, [Outcome(row.event_id, Verdict.DELIVERED) for row in lease.deliveries])


def test_what_a_narrower_filter_does_not_take_is_buried_and_comes_back(archive: Archive) -> None:
    store(archive, "CT", "MR", "MR")
    archive.outbox.register([Route(SINK, selection=CT_ONLY)])
    assert archive.outbox.stats()[SINK].pending == 3
    assert {row["reason"] for row in archive.outbox.list(SINK, "buried")} == {NOT_TAKEN}
    assert archive.outbox.stats()[SINK].buried == 6
    deliver(archive)
    archive.outbox.register([Route(SINK)])
    assert rows(archive) == {(state, kind): 1 + (state == "pending") for state in ("pending", "delivered")
                             for kind in ("state", "image", "object")}  # fmt: skip
    assert {row.kind for row in claim(archive).deliveries} == {"state", "image", "object"}


def test_another_kind_takes_other_events(archive: Archive) -> None:
    archive.outbox.register([Route(SINK, kinds=("state", "image"))])
    store(archive, "CT")
    archive.outbox.register([Route(SINK, kinds=("object",))])
    assert rows(archive) == {("buried", "state"): 1, ("buried", "image"): 1, ("pending", "object"): 1}


def test_what_is_leased_or_dead_is_buried_too_and_the_lease_settles_nothing(archive: Archive) -> None:
    store(archive, "MR", "MR")
    lease = claim(archive)
    archive.outbox.settle(lease, [Outcome(row.event_id, Verdict.DEAD) for row in lease.deliveries[:3]])
    archive.outbox.register([Route(SINK, selection=CT_ONLY)])
    assert set(rows(archive)) == {("buried", kind) for kind in ("state", "image", "object")}
    with pytest.raises(LeaseLost):
        archive.outbox.settle(lease, [Outcome(row.event_id, Verdict.DELIVERED) for row in lease.deliveries])


def test_what_an_operator_buried_stays_buried(archive: Archive) -> None:
    store(archive, "CT")
    archive.outbox.bury([1], reason="test pattern")
    archive.outbox.register([Route(SINK, selection=CT_ONLY)])
    archive.outbox.register([Route(SINK)])
    assert archive.outbox.list(SINK, "buried")[0]["reason"] == "test pattern"


def test_a_replay_leaves_out_what_the_sink_does_not_take_any_more(archive: Archive) -> None:
    store(archive, "CT", "MR")
    deliver(archive)
    store(archive, "MR")
    archive.outbox.register([Route(SINK, kinds=("image", "object"), selection=CT_ONLY)])
    left = archive.outbox.left_out("('delivered', 'dead', 'buried')", sink=SINK)
    assert archive.outbox.replay(sink=SINK) == 4  # images and objects; what was delivered may be asked for again
    assert left == {NOT_TAKEN: 2 + 3}


def test_old_content_does_not_come_back(archive: Archive) -> None:
    first = ct(Modality="MR")
    archive.ingest.receive_file(BytesIO(part10(first)), sender())
    archive.outbox.register([Route(SINK, selection=CT_ONLY)])
    first.PatientName = "Newer^Name"
    archive.ingest.receive_file(BytesIO(part10(first)), sender())
    archive.outbox.register([Route(SINK)])
    sent = [row for row in claim(archive).deliveries if row.kind == "image"]
    assert len(sent) <= 1


class Interruption(Exception):
    """The box is switched off."""


def test_the_events_of_a_box_are_gone_through_in_bounded_steps(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "ROWS", 4)
    store(archive, *["CT"] * 6)
    steps: list[int] = []

    def rest(seconds: float) -> bool:
        assert 0 <= seconds <= filling.LONGEST_REST
        steps.append(archive.outbox.stats()["late"].pending)
        return False

    assert archive.outbox.register([Route(SINK), Route("late")], rest)
    assert steps == [4, 8, 12, 16, 18]


def test_a_filling_that_was_interrupted_goes_on(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "ROWS", 4)
    store(archive, *["CT"] * 6)
    routes = [Route(SINK), Route("late")]

    def switched_off(_seconds: float) -> bool:
        raise Interruption

    with pytest.raises(Interruption):
        archive.outbox.register(routes, switched_off)
    assert archive.outbox.stats()["late"].pending == 4
    store(archive, "CT")  # queued as it comes
    assert archive.outbox.stats()["late"].pending == 7
    assert not archive.outbox.register(routes, lambda _seconds: True)
    assert archive.outbox.stats()["late"].pending == 11
    assert archive.outbox.register(routes)
    assert archive.outbox.stats()["late"].pending == 21
    assert archive.outbox.register(routes, switched_off), "nothing is left to do"


def test_a_route_that_changes_again_is_begun_anew(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "ROWS", 4)
    store(archive, "CT", "MR", "CT")
    assert not archive.outbox.register([Route("late", selection=CT_ONLY)], lambda _seconds: True)
    assert archive.outbox.register([Route("late")])
    assert archive.outbox.stats()["late"].pending == 9


def test_a_filling_is_left_to_the_process_that_has_given_the_sink_another_route(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "ROWS", 4)
    store(archive, "CT", "MR", "CT")

    def other_process(_seconds: float) -> bool:
        archive.outbox.register([Route("late")], lambda _: True)
        return False

    assert archive.outbox.register([Route("late", selection=CT_ONLY)], other_process)
    assert archive.outbox.stats()["late"].pending == 4
    assert archive.outbox.register([Route("late")])
    assert archive.outbox.stats()["late"].pending == 9


def led(*places: str) -> Route:
    return Route(SINK, places=places)


def test_a_sink_that_leads_to_another_place_is_held_until_the_operator_says_what_that_means(archive: Archive) -> None:
    archive.outbox.register([led("stow http://a/dicom-web")])
    store(archive, "CT")
    archive.outbox.register([led("stow http://b/dicom-web")])
    assert archive.outbox.held(SINK) == "", "nothing has been delivered to the first"
    deliver(archive)
    archive.outbox.register([led("stow http://c/dicom-web")])
    reason = archive.outbox.held(SINK)
    assert "http://c/dicom-web" in reason
    assert "http://b/dicom-web" in reason
    assert f"outbox replay --sink {SINK} --all" in reason
    archive.outbox.register([led("stow http://c/dicom-web")])
    assert archive.outbox.held(SINK) == reason, "a restart does not end it"
    archive.outbox.release_hold(SINK)
    archive.outbox.register([led("stow http://c/dicom-web")])
    assert archive.outbox.held(SINK) == ""


def test_one_place_that_stays_is_enough(archive: Archive) -> None:
    archive.outbox.register([led("kafka a:9092", "kafka b:9092")])
    store(archive, "CT")
    deliver(archive)
    archive.outbox.register([led("kafka b:9092", "kafka c:9092")])
    archive.outbox.register([Route(SINK)])  # a caller that does not know
    assert archive.outbox.held(SINK) == ""


def test_an_operators_own_hold_is_not_forgotten(archive: Archive) -> None:
    archive.outbox.register([led("stow http://a")])
    store(archive, "CT")
    deliver(archive)
    archive.outbox.hold(SINK, "line is being moved")
    archive.outbox.register([led("stow http://b")])
    assert "line is being moved" in archive.outbox.held(SINK)
