"""Deletions: what is removed on purpose stays removed, the sinks are told, and nothing else goes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid

from appliance.archive import deletions, fsck
from appliance.archive.deletions import BATCH, StillNeeded
from appliance.archive.outbox import Delivery, Outcome, Verdict
from appliance.archive.removal import Remover, Seen
from appliance.archive.room import Archive
from appliance.errors import NotFound
from appliance.model.attributes import Level
from appliance.model.matching import Query
from appliance.model.records import ConflictPolicy, Result, Stored
from tests.archives import SINK, sender
from tests.builders.instances import ct, part10
from tests.clocks import FakeClock

STUDY, SERIES, OTHER = "1.2.826.1", "1.2.826.1.1", "1.2.826.1.2"
REASON = "Müller^Jörg is another patient"


def file_of(number: int, series: str = SERIES, study: str = STUDY, **changes: Any) -> bytes:
    values = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": f"{series}.{number}"}
    return part10(ct(**{**values, **changes}))


def store(archive: Archive, file: bytes, policy: ConflictPolicy = ConflictPolicy.ASK) -> Stored:
    return archive.ingest.receive_file(BytesIO(file), sender(policy=policy))


def take(archive: Archive, sink: str = SINK) -> list[Delivery]:
    """Deliver everything that waits, in the order it is handed out."""
    done: list[Delivery] = []
    while lease := archive.outbox.claim(sink, rows=100, bytes_=1 << 30, lease_seconds=60):
        archive.outbox.settle(lease, [Outcome(one.event_id, Verdict.DELIVERED) for one in lease.deliveries])
        done += lease.deliveries
    return done


def files(archive: Archive) -> list[Path]:
    return [path for path in archive.settings.root.rglob("*") if path.is_file()]


def delete(archive: Archive, uid: str, level: Level = Level.INSTANCE, **options: Any) -> int:
    return archive.deletions.delete(level, uid, reason=REASON, by="anna", **options).instances


def facts(archive: Archive, uid: str) -> list[tuple[str, str, str]]:
    return [(row["fact"], row["party"], row["detail"]) for row in archive.custody.of(uid)]


def test_a_deleted_instance_is_gone_from_index_and_disk_and_its_reason_is_kept(archive: Archive) -> None:
    for number in (1, 2):
        store(archive, file_of(number))
    take(archive)
    before = archive.reading.series(STUDY)[0].revision
    done = archive.deletions.delete(Level.INSTANCE, f"{SERIES}.1", reason=REASON, by="anna")
    assert (done.instances, done.files) == (1, 1)
    assert [one.sop_uid for one in archive.reading.instances(STUDY)] == [f"{SERIES}.2"]
    assert archive.reading.series(STUDY)[0].revision > before, "caches are kept by revision"
    assert [path.name for path in files(archive)] == [f"{SERIES}.2.dcm"]
    assert facts(archive, f"{SERIES}.1")[-1] == ("deleted", "anna", REASON)
    assert archive.confirmations.deleted() == 1
    assert fsck.check(archive).findings == []
    assert archive.search.count(Query(Level.INSTANCE, study_uid=STUDY)) == 1


def test_the_sinks_are_told_with_higher_revisions(archive: Archive) -> None:
    store(archive, file_of(1))
    store(archive, file_of(2))
    first = {one.kind: one for one in take(archive) if one.sop_uid in (None, f"{SERIES}.1")}
    delete(archive, f"{SERIES}.1")
    image, state = sorted(take(archive), key=lambda one: one.kind)
    assert (image.kind, image.sop_uid, image.message_key) == ("image", f"{SERIES}.1", first["image"].message_key)
    told, counted = json.loads(image.payload), json.loads(state.payload)
    assert told["image_status"] == "DELETED"
    assert told["revision"] == image.revision > json.loads(first["image"].payload)["revision"]
    assert image.digest == first["image"].digest != ""
    assert (counted["series_related_instances"], state.message_key) == (1, first["state"].message_key)


def test_of_a_series_that_is_gone_the_sinks_hear_that_it_has_no_instances(archive: Archive) -> None:
    store(archive, file_of(1))
    store(archive, file_of(1, OTHER))
    take(archive)
    assert delete(archive, SERIES, Level.SERIES) == 1
    states = [json.loads(one.payload) for one in take(archive) if one.kind == "state"]
    assert [(one["series_uid"], one["series_related_instances"]) for one in states] == [(SERIES, 0)]
    assert delete(archive, STUDY, Level.STUDY) == 1
    states = [json.loads(one.payload) for one in take(archive) if one.kind == "state"]
    assert [(one["series_uid"], one["series_related_instances"]) for one in states] == [(OTHER, 0)]
    assert archive.numbers.counts().studies == 0


def test_a_deletion_is_told_even_if_it_waits_and_survives_replays(archive: Archive) -> None:
    store(archive, file_of(1))
    take(archive)
    delete(archive, f"{SERIES}.1")
    assert [one.kind for one in take(archive)] == ["image", "state"]
    assert archive.outbox.replay(study_uid=STUDY) == 2  # the deletion and the last state; never the old content
    assert {json.loads(one.payload).get("image_status") for one in take(archive)} == {"DELETED", None}


def test_undelivered_images_are_not_deleted_without_force(archive: Archive) -> None:
    store(archive, file_of(1))
    store(archive, file_of(2))
    with pytest.raises(StillNeeded, match=f"2 not at {SINK}"):
        delete(archive, STUDY, Level.STUDY)
    assert (len(files(archive)), archive.numbers.counts().instances) == (2, 2)
    assert delete(archive, STUDY, Level.STUDY, force=True) == 2
    buried = archive.outbox.list(state="buried")
    assert {row["kind"] for row in buried} == {"image", "object"}
    assert {row["reason"] for row in buried} == {f"deleted: {REASON}"}
    assert {one.kind for one in take(archive)} == {"image", "state"}


@pytest.mark.parametrize("verdict", [Verdict.DEAD, Verdict.WAIT])
def test_a_dead_or_waiting_object_is_undelivered_too(archive: Archive, verdict: Verdict) -> None:
    store(archive, file_of(1))
    lease = archive.outbox.claim(SINK, rows=100, bytes_=1 << 30, lease_seconds=60)
    assert lease is not None
    with pytest.raises(StillNeeded):
        delete(archive, f"{SERIES}.1")  # on its way
    kinds = {one.event_id: one.kind for one in lease.deliveries}
    outcomes = [Outcome(n, verdict if kind == "object" else Verdict.DELIVERED) for n, kind in kinds.items()]
    archive.outbox.settle(lease, outcomes)
    with pytest.raises(StillNeeded):
        delete(archive, f"{SERIES}.1")


def test_a_sink_that_is_not_required_or_away_holds_nothing_back(archive: Archive) -> None:
    store(archive, file_of(1))
    with archive.database.write() as cx:
        cx.execute("UPDATE sink SET required = 0")
    assert delete(archive, f"{SERIES}.1") == 1


def test_a_queue_that_is_still_being_filled_holds_deletions_back(archive: Archive) -> None:
    store(archive, file_of(1))
    take(archive)
    with archive.database.write() as cx:
        cx.execute("UPDATE sink SET fill_until = 9")
    with pytest.raises(StillNeeded, match="filled"):
        delete(archive, f"{SERIES}.1")


def test_a_pinned_study_is_not_deleted_without_force(archive: Archive) -> None:
    store(archive, file_of(1))
    take(archive)
    with archive.database.write() as cx:
        cx.execute(
            "INSERT INTO study_use (tenant, study_uid, viewed_at, pinned_at, pinned_by, pin_reason)"
            " VALUES ('default', ?, 0, 1, 'anna', '')",
            (STUDY,),
        )
    with pytest.raises(StillNeeded, match="pinned"):
        delete(archive, f"{SERIES}.1")
    assert delete(archive, f"{SERIES}.1", force=True) == 1
    with archive.database.read() as cx:
        assert cx.execute("SELECT count(*) FROM study_use").fetchone()[0] == 0


def test_the_same_bytes_sent_again_are_acknowledged_and_not_kept(archive: Archive) -> None:
    file = file_of(1)
    store(archive, file)
    take(archive)
    delete(archive, f"{SERIES}.1")
    take(archive)
    for _ in range(2):
        assert store(archive, file).result is Result.DUPLICATE
    assert files(archive) == []
    assert archive.numbers.counts().instances == 0
    assert take(archive) == []
    assert [fact for fact, *_ in facts(archive, f"{SERIES}.1")].count("resent") == 2


@pytest.mark.parametrize("policy", list(ConflictPolicy))
def test_other_bytes_under_a_deleted_uid_wait_for_a_person(archive: Archive, policy: ConflictPolicy) -> None:
    store(archive, file_of(1))
    take(archive)
    delete(archive, f"{SERIES}.1")
    take(archive)
    assert store(archive, file_of(1, SeriesDescription="again"), policy).result is Result.CONFLICT
    assert archive.numbers.counts().instances == 0
    assert take(archive) == []
    assert len(archive.conflicts.list()) == 1


def test_the_person_may_leave_it_deleted(archive: Archive) -> None:
    other = file_of(1, SeriesDescription="again")
    store(archive, file_of(1))
    take(archive)
    delete(archive, f"{SERIES}.1")
    store(archive, other)
    archive.conflicts.accept(archive.conflicts.list()[0]["id"], "first", by="anna")
    assert archive.conflicts.list() == []
    assert store(archive, other).result is Result.DUPLICATE
    assert archive.numbers.counts().instances == 0
    assert archive.custody.contested(STUDY) == 0


def test_the_person_may_take_the_other_bytes(archive: Archive) -> None:
    first = file_of(1)
    store(archive, first)
    take(archive)
    delete(archive, f"{SERIES}.1")
    take(archive)
    further = store(archive, file_of(1, SeriesDescription="again"))
    archive.conflicts.accept(archive.conflicts.list()[0]["id"], "further", by="anna")
    assert [one.version_id for one in archive.reading.instances(STUDY)] == [further.version_id]
    assert {one.kind for one in take(archive)} == {"state", "image", "object"}
    assert store(archive, first).result is Result.DUPLICATE
    assert [one.version_id for one in archive.reading.instances(STUDY)] == [further.version_id]


def test_an_open_conflict_is_settled_and_every_version_goes(archive: Archive) -> None:
    store(archive, file_of(1))
    other = file_of(1, SeriesDescription="again")
    store(archive, other)
    take(archive)
    assert delete(archive, f"{SERIES}.1") == 1
    assert (files(archive), archive.conflicts.list(), archive.confirmations.deleted()) == ([], [], 2)
    assert store(archive, other).result is Result.DUPLICATE


def test_undelete_lets_a_resend_be_stored_and_forwarded_like_a_new_object(archive: Archive) -> None:
    file = file_of(1)
    store(archive, file)
    take(archive)
    delete(archive, f"{SERIES}.1")
    take(archive)
    assert archive.deletions.undelete(Level.INSTANCE, f"{SERIES}.1", by="anna") == 1
    assert archive.numbers.counts().instances == 0
    assert store(archive, file).result is Result.RESTORED
    told = take(archive)
    assert [one.kind for one in told] == ["state", "image", "object"]
    assert json.loads(told[1].payload)["image_status"] == "ACTIVE"
    assert archive.reading.instances(STUDY)[0].held
    assert fsck.check(archive).findings == []


def test_a_deletion_that_nobody_was_told_of_goes_out_before_what_came_after_the_undeletion(archive: Archive) -> None:
    file = file_of(1)
    store(archive, file)
    take(archive)
    delete(archive, f"{SERIES}.1")
    archive.deletions.undelete(Level.STUDY, STUDY, by="anna")
    assert [json.loads(one.payload)["image_status"] for one in take(archive) if one.kind == "image"] == ["DELETED"]
    store(archive, file)
    assert [json.loads(one.payload)["image_status"] for one in take(archive) if one.kind == "image"] == ["ACTIVE"]


def test_fsck_removes_what_a_crash_left_and_never_indexes_it(archive: Archive, clock: FakeClock) -> None:
    file = file_of(1)
    path = archive.settings.root / archive.settings.tenant / STUDY / SERIES / f"{SERIES}.1.dcm"
    store(archive, file)
    take(archive)
    kept = path.read_bytes()
    delete(archive, f"{SERIES}.1")
    path.write_bytes(kept)
    clock.advance(10 * 365 * 86400)
    found = fsck.check(archive, repair=True).findings
    assert [(one.kind, one.detail, one.repaired) for one in found] == [
        ("orphan", "of a deleted instance: removed", True)
    ]
    assert (files(archive), archive.numbers.counts().instances) == ([], 0)


def test_a_large_study_goes_in_batches_each_with_its_own_revision(archive: Archive) -> None:
    for number in range(BATCH + 1):
        store(archive, file_of(number))
    take(archive)
    assert delete(archive, STUDY, Level.STUDY) == BATCH + 1
    told = take(archive)
    assert len({one.revision for one in told if one.kind == "image"}) == 2
    assert json.loads([one for one in told if one.kind == "state"][-1].payload)["series_related_instances"] == 0
    assert files(archive) == []


def test_an_old_version_in_another_study_does_not_take_the_current_one_with_it(archive: Archive) -> None:
    uid = str(generate_uid())
    store(archive, file_of(1, SOPInstanceUID=uid))
    store(archive, file_of(1, "1.2.9.1", "1.2.9", SOPInstanceUID=uid), ConflictPolicy.NEWEST)
    take(archive)
    delete(archive, STUDY, Level.STUDY)
    assert [one.sop_uid for one in archive.reading.instances("1.2.9")] == [uid]
    assert len(files(archive)) == 1


def test_other_tenants_are_not_touched(archive: Archive) -> None:
    store(archive, file_of(1))
    other = archive.of("other")
    other.ingest.receive_file(BytesIO(file_of(1)), sender())
    take(archive)
    delete(archive, STUDY, Level.STUDY)
    assert len(other.reading.instances(STUDY)) == 1
    assert len(files(archive)) == 1


@pytest.mark.parametrize("level", list(Level))
def test_what_is_not_there_is_not_deleted_nor_undeleted(archive: Archive, level: Level) -> None:
    store(archive, file_of(1))
    with pytest.raises(NotFound):
        delete(archive, "1.2.3", level, force=True)
    with pytest.raises(NotFound):
        archive.deletions.undelete(level, STUDY, by="anna")


def test_what_takes_the_place_of_a_deleted_file_before_its_removal_is_kept(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes sent again are withdrawn, and with them the file in the way; other bytes get its name."""
    store(archive, file_of(1))
    take(archive)
    remove = Remover.remove
    kept: list[Stored] = []

    def meanwhile(remover: Remover, seen: Iterable[Seen]) -> set[Path]:
        monkeypatch.setattr(Remover, "remove", remove)
        store(archive, file_of(1))
        kept.append(store(archive, file_of(1, PatientComments="another")))
        return remove(remover, seen)

    monkeypatch.setattr(Remover, "remove", meanwhile)
    delete(archive, f"{SERIES}.1")
    with archive.database.read() as cx:
        row = cx.execute("SELECT * FROM version WHERE id = ?", (kept[0].version_id,)).fetchone()
    assert row["standing"] == "contested"
    assert files(archive) == [archive.settings.root / row["blob_path"]]
    assert len(archive.conflicts.list()) == 1


def test_what_arrives_during_a_deletion_is_not_deleted(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletions, "BATCH", 1)
    for number in (1, 2, 4):
        store(archive, file_of(number))
    take(archive)
    remove = Remover.remove

    def meanwhile(remover: Remover, seen: Iterable[Seen]) -> set[Path]:
        monkeypatch.setattr(Remover, "remove", remove)
        store(archive, file_of(3))
        store(archive, file_of(4, PatientComments="another"))
        store(archive, file_of(2, PatientComments="corrected"), ConflictPolicy.NEWEST)
        return remove(remover, seen)

    monkeypatch.setattr(Remover, "remove", meanwhile)
    delete(archive, STUDY, Level.STUDY)
    assert {one.sop_uid for one in archive.reading.instances(STUDY) if one.held} == {f"{SERIES}.2", f"{SERIES}.3"}
    (conflict,) = archive.conflicts.list()
    assert conflict["sop_uid"] == f"{SERIES}.4"
    archive.conflicts.accept(conflict["id"], "further", by="anna")
    assert archive.reading.instances(STUDY, SERIES, f"{SERIES}.4")[0].held


def test_a_pin_set_during_a_deletion_ends_it(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletions, "BATCH", 1)
    for number in (1, 2):
        store(archive, file_of(number))
    take(archive)
    remove = Remover.remove

    def meanwhile(remover: Remover, seen: Iterable[Seen]) -> set[Path]:
        archive.uses.pin(STUDY, by="anna", reason="teaching")
        return remove(remover, seen)

    monkeypatch.setattr(Remover, "remove", meanwhile)
    with pytest.raises(StillNeeded):
        delete(archive, STUDY, Level.STUDY)
    assert len(archive.reading.instances(STUDY)) == 1
